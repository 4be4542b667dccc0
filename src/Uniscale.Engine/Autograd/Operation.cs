using static TorchSharp.torch;

namespace Uniscale.Engine.Autograd;

/// <summary>
/// A differentiable step whose backward is written out. An instance is one application: it carries, typed, what is not a tensor
/// (groups, masks, accumulators); tensors that backward needs are saved in libtorch's graph and die with it.
/// </summary>
internal abstract class Operation
{
    /// <summary>Computes the outputs, with autograd off, and names the tensors to keep for backward.</summary>
    protected abstract IReadOnlyList<Tensor> Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved);

    /// <summary>Gradients of the inputs, null where none goes back, from those of the outputs.</summary>
    protected abstract IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved);

    /// <summary>Runs the operation and records it in autograd.</summary>
    protected IReadOnlyList<Tensor> Record(params IReadOnlyList<Tensor> inputs) => Node.apply([this, .. inputs]);

    /// <summary>The bridge to libtorch: one kind of node runs every operation.</summary>
    private sealed class Node : autograd.MultiTensorFunction<Node>
    {
        private const string Key = "operation";

        public override string Name => "Uniscale.Operation";

        public override List<Tensor> forward(autograd.AutogradContext ctx, params object[] vars)
        {
            using var scope = NewDisposeScope();
            var operation = (Operation)vars[0];
            var saved = new List<Tensor>();
            var outputs = operation.Forward(Inputs(vars), saved);
            ctx.save_data(Key, operation);
            ctx.save_for_backward(saved);

            // The graph takes what is saved only after this returns; inputs belong to somebody else.
            foreach (var tensor in saved)
                scope.MoveToOuter(tensor);
            var results = new List<Tensor>(outputs.Count);
            foreach (var output in outputs) results.Add(output.MoveToOuterDisposeScope());
            return results;
        }

        private static Tensor[] Inputs(object[] vars)
        {
            var inputs = new Tensor[vars.Length - 1];
            Array.Copy(vars, 1, inputs, 0, inputs.Length);
            return inputs;
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, List<Tensor> grad_outputs)
        {
            using var scope = NewDisposeScope();
            var operation = (Operation)ctx.get_data(Key)!;
            var gradients = operation.Backward(grad_outputs, ctx.get_saved_variables());

            // The first input is the operation itself; libtorch takes null for it and for what has no gradient.
            var results = new List<Tensor>(gradients.Count + 1) { null! };
            foreach (var gradient in gradients) results.Add(gradient?.MoveToOuterDisposeScope()!);
            return results;
        }
    }
}
