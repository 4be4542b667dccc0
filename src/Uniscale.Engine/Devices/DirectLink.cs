using System.Runtime.InteropServices;
using Uniscale.Collectives;
using static TorchSharp.torch;

namespace Uniscale.Engine.Devices;

/// <summary>Tensors lie in host memory.</summary>
public sealed class DirectLink : HostLink
{
    private DirectLink() { }

    /// <summary>It has no state.</summary>
    public static DirectLink Instance { get; } = new();

    /// <inheritdoc/>
    public override Device Device => CPU;

    /// <inheritdoc/>
    public override bool IsDirect => true;

    /// <inheritdoc/>
    public override long WaitCount => 0;

    /// <inheritdoc/>
    public override Tensor Upload(Tensor host) => host.alias();

    /// <inheritdoc/>
    public override T[] Read<T>(Tensor tensor) => MemoryMarshal.Cast<byte, T>(tensor.bytes).ToArray();

    /// <inheritdoc/>
    public override HostImage Image() => new DirectImage();

    private sealed class DirectImage : HostImage
    {
        public override CommBuffer Of(Tensor tensor) => TensorBuffer.Of(tensor);
    }
}
