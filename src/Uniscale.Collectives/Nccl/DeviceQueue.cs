using Uniscale.Collectives.Nccl.Native;

namespace Uniscale.Collectives.Nccl;

/// <summary>One rank's device: its streams, and events that are used again and again.</summary>
internal sealed class DeviceQueue : IDisposable
{
    private const int MarkBytes = 64;

    private readonly CudaRuntime _cuda = CudaRuntime.Instance;
    private readonly Lock _gate = new();
    private readonly Stack<nint> _events = [];
    private readonly List<nint> _streams = [];

    /// <summary>Takes the device; throws <see cref="NcclException"/> where the process does not see it.</summary>
    public DeviceQueue(NcclDevice device)
    {
        Device = device;
        int count = _cuda.DeviceCount;
        if (device.Index >= count)
            throw new NcclException(
                $"This host shows {count} CUDA device{(count == 1 ? "" : "s")}, but its ranks need {device.Index + 1} or more, one each: start "
                    + "fewer ranks on it, or show more devices in CUDA_VISIBLE_DEVICES."
            );
        Select();
        Mark = _cuda.Allocate(MarkBytes);
    }

    public NcclDevice Device { get; }

    /// <summary>A few bytes of the device for barriers, which leave nothing behind.</summary>
    public nint Mark { get; }

    /// <summary>Makes the device the calling thread's.</summary>
    public void Select() => _cuda.SelectDevice(Device.Index);

    public nint CreateStream()
    {
        nint stream = _cuda.CreateStream();
        lock (_gate)
            _streams.Add(stream);
        return stream;
    }

    /// <summary>An event behind all that the compute stream has been given.</summary>
    public nint RecordCompute()
    {
        Select();
        return Record(Device.ComputeStream);
    }

    /// <summary>An event behind all that a stream has been given; the calling thread has selected the device.</summary>
    public nint Record(nint stream)
    {
        nint @event = 0;
        lock (_gate)
            if (_events.TryPop(out nint free))
                @event = free;
        if (@event == 0)
            @event = _cuda.CreateEvent();
        _cuda.Record(@event, stream);
        return @event;
    }

    /// <summary>Later work of a stream begins after the event.</summary>
    public void Order(nint stream, nint after) => _cuda.Wait(stream, after);

    /// <summary>Later work of the compute stream begins after the event.</summary>
    public void OrderCompute(nint after)
    {
        Select();
        _cuda.Wait(Device.ComputeStream, after);
    }

    public bool IsComplete(nint @event) => _cuda.IsComplete(@event);

    /// <summary>Copies in the order of the compute stream; where the rank computes on the host, returns when it is done.</summary>
    public void CopyInCompute(nint source, nint destination, long bytes)
    {
        if (source == destination || bytes == 0)
            return;
        Select();
        _cuda.Copy(source, destination, bytes, Device.ComputeStream);
        if (Device.ComputesOnHost)
            _cuda.Synchronize(Device.ComputeStream);
    }

    /// <summary>Pinned host memory.</summary>
    public nint Pin(long bytes)
    {
        Select();
        return _cuda.AllocatePinned(bytes);
    }

    /// <summary>Gives pinned memory back.</summary>
    public void Unpin(nint memory) => _cuda.FreePinned(memory);

    /// <summary>Copies in the order of the compute stream; both sides stay as they are until an event behind it is complete.</summary>
    public void PostCopy(nint source, nint destination, long bytes)
    {
        Select();
        _cuda.Copy(source, destination, bytes, Device.ComputeStream);
    }

    /// <summary>Blocks the host until the compute stream has done what it was given.</summary>
    public void AwaitCompute()
    {
        Select();
        _cuda.Synchronize(Device.ComputeStream);
    }

    /// <summary>See <see cref="CudaRuntime.Memory"/>.</summary>
    public (long Free, long Total) Memory
    {
        get
        {
            Select();
            return _cuda.Memory;
        }
    }

    /// <summary>Gives an event back.</summary>
    public void Return(nint @event)
    {
        lock (_gate)
            _events.Push(@event);
    }

    /// <summary>Frees everything; no stream has work left.</summary>
    public void Dispose()
    {
        Select();
        foreach (nint @event in _events)
            _cuda.DestroyEvent(@event);
        foreach (nint stream in _streams)
            _cuda.DestroyStream(stream);
        _cuda.Free(Mark);
    }
}
