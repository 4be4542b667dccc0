using Uniscale.Configuration;
using Uniscale.Engine.Model;
using Uniscale.Programs;
using Uniscale.Torch.Autograd;
using static TorchSharp.torch;

namespace Uniscale.Engine.Execution;

/// <summary>Forward and backward of single blocks, with libtorch's autograd inside a block only.</summary>
/// <param name="specification">The layout: what is computed again.</param>
/// <param name="ops">The primitives of the layout.</param>
/// <param name="activations">Tensors between the passes.</param>
internal sealed class BlockRunner(StepSpecification specification, IParallelOps ops, ActivationStore activations) : IDisposable
{
    private readonly Dictionary<(int Block, int Microbatch), DeferredWeightGradients> _deferred = [];

    /// <summary>Output of the pass, which the store keeps.</summary>
    public Tensor Forward(BlockState state, MicrobatchContext context)
    {
        bool again = specification.RecomputationOf(state.Number) == RecomputeKind.Block;
        var pass = new KeptPass { Input = state.Number == 0 ? null : activations.TakeInput(state.Number, context.Index).requires_grad_() };
        activations.Keep(state.Number, context.Index, pass);
        if (again)
            pass.Bare = Run(state, pass.Input, context);
        else
            pass.Output = RunWithGraph(state, pass.Input, context);
        return (pass.Output ?? pass.Bare)!;
    }

    /// <summary>
    /// Output of a pass that no backward pass follows: the input is freed, the output kept for the block above or for sending.
    /// </summary>
    public Tensor ForwardAlone(BlockState state, MicrobatchContext context)
    {
        using var input = state.Number == 0 ? null : activations.TakeInputWhole(state.Number, context.Index);
        var output = Run(state, input, context);
        activations.Keep(state.Number, context.Index, new KeptPass { Bare = output });
        return output;
    }

    /// <summary>Gradients of input and parameters; frees what the forward pass kept.</summary>
    /// <param name="state">The block.</param>
    /// <param name="context">The microbatch.</param>
    /// <param name="defer">Leaves the GEMMs that give weight gradients for <see cref="BackwardWeight"/>.</param>
    public void Backward(BlockState state, MicrobatchContext context, bool defer)
    {
        using var pass = activations.TakeKept(state.Number, context.Index);
        using var outputGradient =
            state.Number == specification.Model.Head
                ? ones([], ScalarType.Float32, pass.Output!.device)
                : activations.TakeOutputGradient(state.Number, context.Index);
        pass.Output ??= RunWithGraph(state, pass.Input, context);
        var gradients = Differentiate(
            pass.Output,
            outputGradient,
            state.WithParameters(pass.Input),
            defer ? _deferred[(state.Number, context.Index)] = new DeferredWeightGradients() : null
        );
        int first = pass.Input is null ? 0 : 1;
        if (first == 1)
            activations.KeepInputGradient(state.Number, context.Index, gradients[0]!.DetachFromDisposeScope());
        for (int i = first; i < gradients.Length; i++)
            if (gradients[i] is { } gradient)
                state.Slots[i - first].Sum.Add(gradient);
    }

    /// <summary>Computes and adds the weight gradients that <see cref="Backward"/> left.</summary>
    public void BackwardWeight(BlockState state, int microbatch)
    {
        _deferred.Remove((state.Number, microbatch), out var deferred);
        using (deferred)
            deferred!.Run();
    }

    public void Dispose()
    {
        foreach (var deferred in _deferred.Values)
            deferred.Dispose();
        _deferred.Clear();
    }

    /// <summary>libtorch calls the operations of the graph, and passes them nothing of ours: they find the queue in
    /// <see cref="IParallelOps.Deferred"/>, where it
    /// stands for as long as the call takes.</summary>
    private Tensor?[] Differentiate(Tensor output, Tensor outputGradient, Tensor[] inputs, DeferredWeightGradients? queue)
    {
        ops.Deferred = queue;
        try
        {
            return Gradients.Of(output, outputGradient, inputs);
        }
        finally
        {
            ops.Deferred = null;
        }
    }

    private Tensor RunWithGraph(BlockState state, Tensor? input, MicrobatchContext context)
    {
        using var grad = enable_grad();
        return Run(state, input, context);
    }

    private Tensor Run(BlockState state, Tensor? input, MicrobatchContext context) =>
        state.Block.Forward(state.Parameters, input, context, ops).DetachFromDisposeScope();
}
