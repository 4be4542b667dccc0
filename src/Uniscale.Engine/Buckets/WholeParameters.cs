using TorchSharp;
using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Buckets;

/// <summary>
/// The whole flat parameters of a block and the views that the block takes. Temporary ones (ZeRO-3) keep their address while their
/// memory comes and goes, so that what autograd saved in the forward pass is right again once they are gathered for the backward pass.
/// Where
/// the ranks that share a copy are in one process the whole is their common memory, of which each writes its shard: nothing comes or goes.
/// </summary>
internal sealed class WholeParameters : IDisposable
{
    private readonly IDisposable? _memory;

    private WholeParameters(FlatLayout layout, Tensor flat, IDisposable? memory)
    {
        Flat = flat;
        _memory = memory;
        IsPresent = memory is null;
        Views = [.. layout.Parameters.Select(p => Bucket.View(flat, p).requires_grad_().DetachFromDisposeScope())];
    }

    public Tensor Flat { get; }

    public IReadOnlyList<Tensor> Views { get; }

    /// <summary>Whether a block may use them only between gathering and release.</summary>
    public bool IsTemporary => _memory is not null;

    /// <summary>Whether they are the common memory of the ranks whose shards they are.</summary>
    public bool IsShared => _memory is SharedMemory;

    public bool IsPresent { get; private set; }

    public static WholeParameters Permanent(FlatLayout layout, ScalarType type, Device device) =>
        new(layout, TensorMemory.Zeros([layout.Count], type, device).DetachFromDisposeScope(), null);

    public static WholeParameters Temporary(FlatLayout layout, ScalarType type, Device device)
    {
        CheckDevice(device);
        var memory = new ReleasableMemory(layout.Count * type.ElementSize());
        return new(layout, TensorMemory.FromPointer(memory.Address, [layout.Count], type).DetachFromDisposeScope(), memory);
    }

    public static WholeParameters Shared(FlatLayout layout, ScalarType type, Device device, SharedMemory memory)
    {
        CheckDevice(device);
        return new(layout, TensorMemory.FromPointer(memory.Address, [layout.Count], type).DetachFromDisposeScope(), memory);
    }

    public void Materialize() => IsPresent = true;

    public void Release()
    {
        if (_memory is null)
            return;
        IsPresent = false;
        (_memory as ReleasableMemory)?.Release();
    }

    public void Dispose()
    {
        foreach (var view in Views)
            view.Dispose();
        Flat.Dispose();
        _memory?.Dispose();
    }

    private static void CheckDevice(Device device)
    {
        if (device.type != DeviceType.CPU)
            throw new UserErrorException(
                "parallel.zero.stage is 3, which keeps the addresses of released parameters; that is done for host memory only: set it to 2 or less with train.device: cuda."
            );
    }
}
