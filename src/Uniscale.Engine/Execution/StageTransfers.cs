using Uniscale.Collectives;
using Uniscale.Engine.Devices;
using Uniscale.Programs;

namespace Uniscale.Engine.Execution;

/// <summary>Sends and receives between stages of a pipeline: activations upwards, their gradients downwards, all asynchronous.</summary>
internal sealed class StageTransfers(RankState rank, StepSpecification specification, ActivationStore activations)
{
    private const int ActivationTag = 0,
        GradientTag = 1;

    private IProcessGroup Pipeline => rank.Groups.Pipeline;

    /// <summary>Posts the receive of a block's input from another stage.</summary>
    public void ReceiveActivation(int block, int microbatch, int peer)
    {
        var tensor = rank.EmptyActivation(specification);
        activations.Receiving(block, microbatch, tensor, Pipeline.Receive(TensorBuffer.Of(tensor), Stage(peer), ActivationTag));
    }

    /// <summary>Posts the receive of the gradient of a block's output from another stage.</summary>
    public void ReceiveGradient(int block, int microbatch, int peer)
    {
        var tensor = rank.EmptyActivation(specification);
        activations.ReceivingGradient(block, microbatch, tensor, Pipeline.Receive(TensorBuffer.Of(tensor), Stage(peer), GradientTag));
    }

    /// <summary>Sends a block's output; forward alone nobody here needs it any more.</summary>
    public void SendActivation(int block, int microbatch, int peer)
    {
        var pass = activations.Kept(block, microbatch);
        var tensor = (pass.Output ?? pass.Bare)!.detach().contiguous().DetachFromDisposeScope();
        if (specification.ForwardOnly)
            activations.TakeKept(block, microbatch).Dispose();
        activations.Sending(tensor, Pipeline.Send(TensorBuffer.Of(tensor), Stage(peer), ActivationTag));
    }

    /// <summary>Sends the gradient of a block's input.</summary>
    public void SendGradient(int block, int microbatch, int peer)
    {
        using var gradient = activations.TakeInputGradient(block, microbatch);
        var tensor = gradient.contiguous().alias().DetachFromDisposeScope();
        activations.Sending(tensor, Pipeline.Send(TensorBuffer.Of(tensor), Stage(peer), GradientTag));
    }

    private int Stage(int worldRank) => specification.Mesh.CoordinateOf(worldRank).Pipeline;
}
