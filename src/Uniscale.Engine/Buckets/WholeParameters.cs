using TorchSharp;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Buckets;

/// <summary>
/// The whole flat parameters of a block and the views that the block takes. Temporary ones (ZeRO-3) keep their address while their
/// memory comes and goes, so that what autograd saved in the forward pass is right again once they are gathered for the backward pass.
/// </summary>
internal sealed class WholeParameters : IDisposable
{
    private readonly ReleasableMemory? _memory;

    private WholeParameters(FlatLayout layout, Tensor flat, ReleasableMemory? memory)
    {
        Flat = flat;
        _memory = memory;
        IsPresent = memory is null;
        Views = [.. layout.Parameters.Select(p => Bucket.View(flat, p).requires_grad_().DetachFromDisposeScope())];
    }

    public Tensor Flat { get; }

    public IReadOnlyList<Tensor> Views { get; }

    public bool IsTemporary => _memory is not null;

    public bool IsPresent { get; private set; }

    public static WholeParameters Permanent(FlatLayout layout, ScalarType type, Device device) =>
        new(layout, zeros([layout.Count], type, device).DetachFromDisposeScope(), null);

    public static WholeParameters Temporary(FlatLayout layout, ScalarType type, Device device)
    {
        if (device.type != DeviceType.CPU)
            throw new NotSupportedException("ZeRO-3 keeps the address of released parameters, which is done for CPU memory only; use ZeRO 0 to 2 on other devices.");
        var memory = new ReleasableMemory(layout.Count * type.ElementSize());
        return new(layout, TensorMemory.FromPointer(memory.Address, [layout.Count], type).DetachFromDisposeScope(), memory);
    }

    public void Materialize() => IsPresent = true;

    public void Release()
    {
        if (_memory is null) return;
        IsPresent = false;
        _memory.Release();
    }

    public void Dispose()
    {
        foreach (var view in Views) view.Dispose();
        Flat.Dispose();
        _memory?.Dispose();
    }
}
