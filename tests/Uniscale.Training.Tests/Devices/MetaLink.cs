using TorchSharp;
using Uniscale.Collectives;
using Uniscale.Engine.Devices;
using static TorchSharp.torch;

namespace Uniscale.Training.Tests.Devices;

/// <summary>
/// A device whose tensors have shapes and no elements. What reads one fails, and so does what mixes one with a tensor of the host: it shows
/// on any
/// machine what a GPU would wait for or refuse.
/// </summary>
internal sealed class MetaLink : HostLink
{
    private long _waits;

    public override Device Device { get; } = new(DeviceType.META);

    public override bool IsDirect => false;

    public override long WaitCount => _waits;

    /// <summary>Tensors that were brought over.</summary>
    public long UploadCount { get; private set; }

    public override Tensor Upload(Tensor host)
    {
        UploadCount++;
        return host.to(Device);
    }

    /// <summary>Ones, so that a step is judged good.</summary>
    public override T[] Read<T>(Tensor tensor)
    {
        _waits++;
        var read = new T[tensor.numel()];
        Array.Fill(read, (T)Convert.ChangeType(1, typeof(T), System.Globalization.CultureInfo.InvariantCulture));
        return read;
    }

    public override HostImage Image() => new NoImage();

    private sealed class NoImage : HostImage
    {
        public override CommBuffer Of(Tensor tensor) => throw new NotSupportedException("Tensors without elements have no image.");
    }
}
