/** Precisions of engines. */
export { precisions, type Precision } from '../../../compile/trtexec/request.ts'
