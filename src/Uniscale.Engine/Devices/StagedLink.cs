using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Uniscale.Collectives;
using Uniscale.Collectives.Nccl;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Devices;

/// <summary>Tensors lie on a device; copies go through pinned memory, in the order of compute.</summary>
/// <param name="staging">The copies; belongs to the rank's world.</param>
/// <param name="device">What libtorch calls the device; the CPU on an emulated one, whose memory is the host's.</param>
internal sealed class StagedLink(DeviceStaging staging, Device device) : HostLink
{
    public override Device Device => device;

    public override bool IsDirect => false;

    public override long WaitCount => staging.WaitCount;

    public override long? DeviceBytesInUse => staging.Memory.Total - staging.Memory.Free;

    public override void Await() => staging.Await();

    public override Tensor Upload(Tensor host)
    {
        using var dense = host.contiguous();
        var there = empty(dense.shape, dense.dtype, device);
        staging.Upload(TensorMemory.DataPointer(dense), TensorMemory.DataPointer(there), TensorMemory.ByteCount(dense));
        return there;
    }

    public override T[] Read<T>(Tensor tensor)
    {
        if (!tensor.is_contiguous())
            throw new ArgumentException($"{tensor} is not contiguous.", nameof(tensor));
        var elements = new T[TensorMemory.ByteCount(tensor) / Unsafe.SizeOf<T>()];
        staging.Read(TensorMemory.DataPointer(tensor), MemoryMarshal.AsBytes(elements.AsSpan()));
        return elements;
    }

    public override HostImage Image() => new StagedImage(staging);

    private sealed class StagedImage(DeviceStaging staging) : HostImage
    {
        private readonly Dictionary<nint, (CommBuffer There, nint Here)> _copies = [];

        public override CommBuffer Of(Tensor tensor)
        {
            var there = TensorBuffer.Of(tensor);
            if (there.Count == 0)
                return there;
            if (!_copies.TryGetValue(there.Address, out var copy) || copy.There.Count < there.Count)
            {
                if (copy.Here != 0)
                    staging.Unpin(copy.Here);
                _copies[there.Address] = copy = (there, staging.Pin(BytesOf(there)));
            }
            return there with { Address = copy.Here };
        }

        public override void Fetch()
        {
            foreach (var (there, here) in _copies.Values)
                staging.Post(there.Address, here, BytesOf(there));
            staging.Await();
        }

        public override void Store()
        {
            foreach (var (there, here) in _copies.Values)
                staging.Post(here, there.Address, BytesOf(there));
            staging.Await();
        }

        public override void Dispose()
        {
            foreach (var (_, here) in _copies.Values)
                staging.Unpin(here);
            _copies.Clear();
            base.Dispose();
        }

        private static long BytesOf(CommBuffer buffer) => buffer.Count * buffer.Type.SizeBytes();
    }
}
