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
            var results = stackalloc nint[inputs.Count];
            fixed (nint* output = Handles(outputs), input = Handles(inputs), gradient = Handles(grad_outputs))
            {
                Errors.Check(NativeMethods.uniscale_autograd_grad(
                    output, outputs.Count, input, inputs.Count, gradient, grad_outputs?.Count ?? 0,
                    retain_graph ? 1 : 0, create_graph ? 1 : 0, allow_unused ? 1 : 0, results));
            }
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
            fixed (nint* tensor = Handles(tensors), gradient = Handles(grad_tensors), input = Handles(inputs))
            {
                Errors.Check(NativeMethods.uniscale_autograd_backward(
                    tensor, tensors.Count, gradient, grad_tensors?.Count ?? 0, retain_graph ?? create_graph ? 1 : 0,
                    create_graph ? 1 : 0, input, inputs?.Count ?? 0));
            }
            KeepAlive(tensors, grad_tensors, inputs);
        }

        private static nint[] Handles(IList<Tensor>? tensors)
        {
            if (tensors is null or { Count: 0 })
                return [];
            var handles = new nint[tensors.Count];
            for (var i = 0; i < handles.Length; i++)
                handles[i] = tensors[i]?.Handle ?? 0;
            return handles;
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
