using Uniscale.Engine.Autograd;
using Uniscale.Engine.Model;
using Uniscale.Kernels;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Operations;

/// <summary>silu(gate) · up; only gate and up are kept.</summary>
internal sealed class SwigluOperation(IKernels kernels) : Operation
{
    public Tensor Apply(Tensor gate, Tensor up) => Record(gate, up)[0];

    protected override IReadOnlyList<Tensor> Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved)
    {
        saved.AddRange(inputs);
        return [kernels.Swiglu(inputs[0], inputs[1])];
    }

    protected override IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved)
    {
        var (gate, up) = kernels.SwigluBackward(gradients[0], saved[0], saved[1]);
        return [gate, up];
    }
}

/// <summary>
/// Rotation of queries and keys by their positions, and the scaling of queries by them, where there is one; the gradient is rotated back
/// and scaled alike.
/// </summary>
internal sealed class RotaryOperation(ParallelOps ops, RotaryFrequencies frequencies, MicrobatchContext context) : Operation
{
    public (Tensor Query, Tensor Key) Apply(Tensor q, Tensor k)
    {
        var rotated = Record(q, k);
        return (rotated[0], rotated[1]);
    }

    protected override IReadOnlyList<Tensor> Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved)
    {
        var (cosine, sine) = ops.Angles(frequencies, context);
        saved.AddRange([cosine, sine]);
        var (ofQuery, sineOfQuery) = (cosine, sine);
        if (ops.QueryScale(frequencies, context) is { } scale)
        {
            (ofQuery, sineOfQuery) = (cosine * scale, sine * scale);
            saved.AddRange([ofQuery, sineOfQuery]);
        }
        return
        [
            ops.Kernels.Rotate(inputs[0], ofQuery, sineOfQuery, inverse: false),
            ops.Kernels.Rotate(inputs[1], cosine, sine, inverse: false),
        ];
    }

    protected override IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved) =>
        [
            ops.Kernels.Rotate(gradients[0], saved[^2], saved[^1], inverse: true),
            ops.Kernels.Rotate(gradients[1], saved[0], saved[1], inverse: true),
        ];
}
