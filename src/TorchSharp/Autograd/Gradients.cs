using TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>Gradients of what operators computed.</summary>
    public static partial class autograd
    {
        /// <summary>
        /// Gradients of the outputs with respect to the inputs, without touching <c>Tensor.grad</c>. With <paramref name="allow_unused"/>
        /// the gradient of an input that the outputs do not depend on is null.
        /// </summary>
        public static unsafe IList<Tensor> grad(IList<Tensor> outputs, IList<Tensor> inputs, IList<Tensor>? grad_outputs = null, bool retain_graph = false, bool create_graph = false, bool allow_unused = false)
        {
            var gradientCount = grad_outputs?.Count ?? 0;
            nint* output = stackalloc nint[outputs.Count], input = stackalloc nint[inputs.Count], gradient = stackalloc nint[gradientCount];
            CopyHandles(outputs, output);
            CopyHandles(inputs, input);
            CopyHandles(grad_outputs, gradient);
            var results = stackalloc nint[inputs.Count];
            Errors.Check(NativeMethods.uniscale_autograd_grad(
                output, outputs.Count, input, inputs.Count, gradient, gradientCount,
                retain_graph ? 1 : 0, create_graph ? 1 : 0, allow_unused ? 1 : 0, results));
            KeepAlive(outputs, inputs, grad_outputs);
            var gradients = new Tensor[inputs.Count];
            for (var i = 0; i < gradients.Length; i++)
                gradients[i] = results[i] == 0 ? null! : new Tensor(results[i]);
            return gradients;
        }

        public static void backward(Tensor tensor, Tensor grad_tensor, bool? retain_graph = null, bool create_graph = false, IList<Tensor>? inputs = null) =>
            backward([tensor], [grad_tensor], retain_graph, create_graph, inputs);

        public static void backward(Tensor tensor, IList<Tensor>? grad_tensors = null, bool? retain_graph = null, bool create_graph = false, IList<Tensor>? inputs = null) =>
            backward([tensor], grad_tensors, retain_graph, create_graph, inputs);

        /// <summary>Adds the gradients of the tensors to <c>Tensor.grad</c> of the leaves, or of the inputs alone when given.</summary>
        public static unsafe void backward(IList<Tensor> tensors, IList<Tensor>? grad_tensors = null, bool? retain_graph = null, bool create_graph = false, IList<Tensor>? inputs = null)
        {
            int gradientCount = grad_tensors?.Count ?? 0, inputCount = inputs?.Count ?? 0;
            nint* tensor = stackalloc nint[tensors.Count], gradient = stackalloc nint[gradientCount], input = stackalloc nint[inputCount];
            CopyHandles(tensors, tensor);
            CopyHandles(grad_tensors, gradient);
            CopyHandles(inputs, input);
            Errors.Check(NativeMethods.uniscale_autograd_backward(
                tensor, tensors.Count, gradient, gradientCount, retain_graph ?? create_graph ? 1 : 0, create_graph ? 1 : 0, input, inputCount));
            KeepAlive(tensors, grad_tensors, inputs);
        }

        private static unsafe void CopyHandles(IList<Tensor>? tensors, nint* handles)
        {
            for (var i = 0; i < (tensors?.Count ?? 0); i++)
                handles[i] = tensors![i]?.Handle ?? 0;
        }

        private static void KeepAlive(params ReadOnlySpan<IList<Tensor>?> lists)
        {
            foreach (var list in lists)
            {
                for (var i = 0; i < (list?.Count ?? 0); i++)
                    GC.KeepAlive(list![i]);
            }
        }
    }
}
