using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Devices;

/// <summary>
/// What the sum of token losses is multiplied with: a number of the host, or one of the device that the host does not know.
/// </summary>
public readonly record struct LossScale : IDisposable
{
    private readonly double _number;
    private readonly Tensor? _tensor;

    private LossScale(double number, Tensor? tensor) => (_number, _tensor) = (number, tensor);

    /// <summary>A scale that is known to the host.</summary>
    public static implicit operator LossScale(double number) => FromDouble(number);

    /// <summary>A scale that is known to the host.</summary>
    public static LossScale FromDouble(double number) => new(number, null);

    /// <summary>1 / count, of an int64 tensor [1] that is at least 1 or counts as 1.</summary>
    public static LossScale OneOver(Tensor count, HostLink link) =>
        link.IsDirect
            ? 1.0 / Math.Max(1, link.Read<long>(count)[0])
            : new LossScale(0, count.to(float64).clamp_min(Scalars.Of(1)).reciprocal().to(float32).squeeze().DetachFromDisposeScope());

    /// <summary>Multiplies a tensor in place.</summary>
    public Tensor Multiply(Tensor tensor) => _tensor is null ? tensor.mul_(Scalars.Of(_number)) : tensor.mul_(_tensor);

    /// <summary>Frees the device's number.</summary>
    public void Dispose() => _tensor?.Dispose();
}
