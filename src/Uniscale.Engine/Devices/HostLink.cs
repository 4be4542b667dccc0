using TorchSharp;
using Uniscale.Collectives;
using Uniscale.Configuration;
using static TorchSharp.torch;

namespace Uniscale.Engine.Devices;

/// <summary>
/// Where a rank's tensors lie, and the only way of numbers between there and the host. Nothing else in a step reads a tensor or makes one
/// out of
/// numbers of the host: on a device that would hold the host until the device has come so far.
/// </summary>
public abstract class HostLink : IDisposable
{
    /// <summary>Where the tensors lie.</summary>
    public abstract Device Device { get; }

    /// <summary>Tensors lie in host memory: reading them waits for nothing.</summary>
    public abstract bool IsDirect { get; }

    /// <summary>How often the host has waited for the device so far.</summary>
    public abstract long WaitCount { get; }

    /// <summary>Memory of the device that is in use, by whatever process; null: tensors lie in host memory.</summary>
    public virtual long? DeviceBytesInUse => null;

    /// <summary>Waits until the device has done all that it was given.</summary>
    public virtual void Await()
    {
        // Operators on the host return when they are done.
    }

    /// <summary>
    /// A host tensor where the rank computes: itself, or a copy that is there before what compute is given next. The caller owns it and the
    /// original.
    /// </summary>
    public abstract Tensor Upload(Tensor host);

    /// <summary>The memory of a contiguous tensor, as numbers of a type; waits for the device.</summary>
    public abstract T[] Read<T>(Tensor tensor)
        where T : unmanaged;

    /// <summary>Host memory for the elements of tensors, for who reads or writes much of it.</summary>
    public abstract HostImage Image();

    /// <inheritdoc/>
    public virtual void Dispose() => GC.SuppressFinalize(this);

    /// <summary>That of a rank.</summary>
    /// <exception cref="UserErrorException">Tensors are wanted on a device, but the loaded libtorch has none.</exception>
    public static HostLink Of(RunConfiguration configuration, IWorld world)
    {
        if (configuration.Train.Device != "cuda")
            return world.Staging is { } emulated ? new StagedLink(emulated, CPU) : DirectLink.Instance;
        var staging =
            world.Staging
            ?? throw new ArgumentException("A world of hosts alone was made for ranks with train.device: cuda.", nameof(world));
        if (!cuda.is_available())
            throw new UserErrorException(
                "train.device is cuda, but the libtorch that was loaded sees no CUDA device: build with "
                    + "-p:TorchSharpBackend=TorchSharp-cuda-linux, or name the folder of a libtorch with CUDA in UNISCALE_LIBTORCH (docs/reference/cuda.md)."
            );
        return new StagedLink(staging, new Device(DeviceType.CUDA, staging.Device.Index));
    }
}
