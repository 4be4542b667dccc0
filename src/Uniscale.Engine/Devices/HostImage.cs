using Uniscale.Collectives;
using static TorchSharp.torch;

namespace Uniscale.Engine.Devices;

/// <summary>
/// Contiguous tensors as host memory shows them: the tensors' own memory where that is the host's, else pinned copies, which stay at their
/// addresses
/// until the image is disposed.
/// </summary>
public abstract class HostImage : IDisposable
{
    /// <summary>Memory for a tensor's elements, the same at every call.</summary>
    public abstract CommBuffer Of(Tensor tensor);

    /// <summary>Copies what the device holds to the host, and waits for it.</summary>
    public virtual void Fetch()
    {
        // The memory is the tensors' own.
    }

    /// <summary>Copies what the host holds to the device, and waits for it.</summary>
    public virtual void Store()
    {
        // The memory is the tensors' own.
    }

    /// <inheritdoc/>
    public virtual void Dispose() => GC.SuppressFinalize(this);
}
