using static TorchSharp.torch;

namespace Uniscale.Engine.Autograd;

/// <summary>
/// A differentiable step whose backward is written out. An instance is one application: it carries, typed, what is not a tensor
/// (groups, masks, accumulators), and parameters, which outlive it; other tensors that backward needs are saved in libtorch's graph and
/// die with it.
/// </summary>
internal abstract class Operation
{
    /// <summary>Computes the outputs, with autograd off, and names the tensors to keep for backward. The lists are good for this call only.</summary>
    protected abstract IReadOnlyList<Tensor> Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved);

    /// <summary>Gradients of the inputs, null where none goes back, from those of the outputs.</summary>
    protected abstract IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved);

    /// <summary>Runs the operation and records it in autograd.</summary>
    protected IReadOnlyList<Tensor> Record(params ReadOnlySpan<Tensor> inputs) => Node.Run(this, inputs);

    /// <summary>The bridge to libtorch: one kind of node runs every operation.</summary>
    private sealed class Node : autograd.MultiTensorFunction<Node>
    {
        private const string Key = "operation";

        // Lists that nobody needs when a call is over, for the thread's next call.
        [ThreadStatic]
        private static Lists? _idle;

        [ThreadStatic]
        private static List<Tensor>? _results;

        public override string Name => "Uniscale.Operation";

        public static List<Tensor> Run(Operation operation, ReadOnlySpan<Tensor> inputs)
        {
            var lists = _idle ?? new Lists();
            _idle = null;
            lists.Inputs.AddRange(inputs);
            var arguments = lists.Arguments(inputs.Length + 2);
            (arguments[0], arguments[1]) = (operation, lists);
            for (int i = 0; i < inputs.Length; i++) arguments[i + 2] = inputs[i];
            var outputs = apply(arguments);
            Array.Clear(arguments);
            lists.Inputs.Clear();
            lists.Saved.Clear();
            _idle = lists;
            return outputs;
        }

        public override List<Tensor> forward(autograd.AutogradContext ctx, params object[] vars)
        {
            using var scope = NewDisposeScope();
            var operation = (Operation)vars[0];
            var lists = (Lists)vars[1];
            var saved = lists.Saved;
            var outputs = operation.Forward(lists.Inputs, saved);
            ctx.save_data(Key, operation);
            ctx.save_for_backward(saved);

            // The graph takes what is saved only after this returns; inputs belong to somebody else.
            foreach (var tensor in saved)
                scope.MoveToOuter(tensor);
            var results = new List<Tensor>(outputs.Count);
            for (int i = 0; i < outputs.Count; i++) results.Add(outputs[i].MoveToOuterDisposeScope());
            return results;
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, List<Tensor> grad_outputs)
        {
            using var scope = NewDisposeScope();
            var operation = (Operation)ctx.get_data(Key)!;
            var gradients = operation.Backward(grad_outputs, ctx.get_saved_variables());

            // The first two arguments are no tensors; libtorch takes null for them and for what has no gradient, and is done with the list at once.
            var results = _results ??= [];
            results.Clear();
            results.AddRange([null!, null!]);
            for (int i = 0; i < gradients.Count; i++) results.Add(gradients[i]?.MoveToOuterDisposeScope()!);
            return results;
        }

        private sealed class Lists
        {
            private readonly List<object[]?> _arguments = [];

            public List<Tensor> Inputs { get; } = [];

            public List<Tensor> Saved { get; } = [];

            /// <summary>The array of a length.</summary>
            public object[] Arguments(int count)
            {
                while (_arguments.Count <= count) _arguments.Add(null);
                return _arguments[count] ??= new object[count];
            }
        }
    }
}
