namespace TorchSharp;

public static partial class torch
{
    public static partial class autograd
    {
        /// <summary>A differentiable function written in C#. Derive from the single- or the multi-tensor form and call <c>apply</c>.</summary>
        public abstract class Function<T> where T : Function<T>, new()
        {
            private static readonly T Instance = new();
            private static readonly Func<AutogradContext, List<Tensor>, List<Tensor>> Backward = Instance.backward_internal;

            /// <summary>The node's name in the graph and in messages.</summary>
            public abstract string Name { get; }

            /// <summary>
            /// Runs forward without recording, and ties its outputs to a node that calls backward when the arguments need gradients.
            /// Only tensors that stand directly among the arguments are tied, not those in lists.
            /// </summary>
            public static List<Tensor> apply_internal(params object[] vars)
            {
                var context = new RecordedCall(Instance.Name, vars, Backward);
                using var node = is_grad_enabled() && RequiresGrad(vars) ? new Node(context) : default;
                node.Connect(vars);
                List<Tensor> outputs;
                using (no_grad())
                    outputs = Instance.forward_internal(context, vars);
                node.Tie(vars, context, outputs);
                node.Save(context);
                return outputs;
            }

            private static bool RequiresGrad(object[] vars)
            {
                foreach (var argument in vars)
                {
                    if (argument is Tensor { IsInvalid: false, requires_grad: true })
                        return true;
                }
                return false;
            }

            internal abstract List<Tensor> forward_internal(AutogradContext ctx, params object[] vars);

            internal abstract List<Tensor> backward_internal(AutogradContext ctx, List<Tensor> grad_outputs);
        }

        /// <summary>A function with one tensor as result.</summary>
        public abstract class SingleTensorFunction<T> : Function<T> where T : SingleTensorFunction<T>, new()
        {
            public static Tensor apply(params object[] vars) => apply_internal(vars)[0];

            /// <summary>Computes the result; saves in the context what backward needs.</summary>
            public abstract Tensor forward(AutogradContext ctx, params object[] vars);

            /// <summary>One gradient (or null) for each argument of forward, null for one that is no tensor.</summary>
            public abstract List<Tensor> backward(AutogradContext ctx, Tensor grad_output);

            internal sealed override List<Tensor> forward_internal(AutogradContext ctx, params object[] vars) => [forward(ctx, vars)];

            internal sealed override List<Tensor> backward_internal(AutogradContext ctx, List<Tensor> grad_outputs) =>
                backward(ctx, grad_outputs[0]);
        }

        /// <summary>A function with several tensors as results.</summary>
        public abstract class MultiTensorFunction<T> : Function<T> where T : MultiTensorFunction<T>, new()
        {
            public static List<Tensor> apply(params object[] vars) => apply_internal(vars);

            public abstract List<Tensor> forward(AutogradContext ctx, params object[] vars);

            /// <summary>One gradient (or null) for each argument of forward, null for one that is no tensor. The list of gradients is good for the call only.</summary>
            public abstract List<Tensor> backward(AutogradContext ctx, List<Tensor> grad_outputs);

            internal sealed override List<Tensor> forward_internal(AutogradContext ctx, params object[] vars) => forward(ctx, vars);

            internal sealed override List<Tensor> backward_internal(AutogradContext ctx, List<Tensor> grad_outputs) =>
                backward(ctx, grad_outputs);
        }
    }
}
