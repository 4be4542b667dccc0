using System.Runtime.InteropServices;

namespace Uniscale.Collectives.Nccl.Native;

/// <summary>
/// The part of the CUDA runtime that orders communication with compute: devices, streams, events. Stream 0 is a device's own.
/// </summary>
internal sealed unsafe class CudaRuntime
{
    /// <summary>Names a libcudart to load instead of those that are looked for.</summary>
    public const string PathVariable = "UNISCALE_CUDART_LIBRARY";

    private const int NotReady = 600;
    private const uint NonBlockingStream = 1;
    private const uint EventWithoutTime = 2;
    private const int CopyByAddress = 4;

    private static readonly Lazy<CudaRuntime> Runtime = new(() =>
        new CudaRuntime(DeviceLibrary.Load("The CUDA runtime", PathVariable, "libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0"))
    );

    private readonly delegate* unmanaged<int, byte*> _getErrorString;
    private readonly delegate* unmanaged<int*, int> _getDeviceCount;
    private readonly delegate* unmanaged<int, int> _setDevice;
    private readonly delegate* unmanaged<nint*, uint, int> _streamCreate;
    private readonly delegate* unmanaged<nint, int> _streamDestroy;
    private readonly delegate* unmanaged<nint, int> _streamSynchronize;
    private readonly delegate* unmanaged<nint, nint, uint, int> _streamWaitEvent;
    private readonly delegate* unmanaged<nint*, uint, int> _eventCreate;
    private readonly delegate* unmanaged<nint, nint, int> _eventRecord;
    private readonly delegate* unmanaged<nint, int> _eventQuery;
    private readonly delegate* unmanaged<nint, int> _eventDestroy;
    private readonly delegate* unmanaged<nint*, nuint, int> _malloc;
    private readonly delegate* unmanaged<nint, int> _free;
    private readonly delegate* unmanaged<nint*, nuint, uint, int> _hostAlloc;
    private readonly delegate* unmanaged<nint, int> _freeHost;
    private readonly delegate* unmanaged<nuint*, nuint*, int> _memGetInfo;
    private readonly delegate* unmanaged<nint, nint, nuint, int, nint, int> _copy;

    private CudaRuntime(DeviceLibrary library)
    {
        Name = library.Name;
        _getErrorString = (delegate* unmanaged<int, byte*>)library.Get("cudaGetErrorString");
        _getDeviceCount = (delegate* unmanaged<int*, int>)library.Get("cudaGetDeviceCount");
        _setDevice = (delegate* unmanaged<int, int>)library.Get("cudaSetDevice");
        _streamCreate = (delegate* unmanaged<nint*, uint, int>)library.Get("cudaStreamCreateWithFlags");
        _streamDestroy = (delegate* unmanaged<nint, int>)library.Get("cudaStreamDestroy");
        _streamSynchronize = (delegate* unmanaged<nint, int>)library.Get("cudaStreamSynchronize");
        _streamWaitEvent = (delegate* unmanaged<nint, nint, uint, int>)library.Get("cudaStreamWaitEvent");
        _eventCreate = (delegate* unmanaged<nint*, uint, int>)library.Get("cudaEventCreateWithFlags");
        _eventRecord = (delegate* unmanaged<nint, nint, int>)library.Get("cudaEventRecord");
        _eventQuery = (delegate* unmanaged<nint, int>)library.Get("cudaEventQuery");
        _eventDestroy = (delegate* unmanaged<nint, int>)library.Get("cudaEventDestroy");
        _malloc = (delegate* unmanaged<nint*, nuint, int>)library.Get("cudaMalloc");
        _free = (delegate* unmanaged<nint, int>)library.Get("cudaFree");
        _hostAlloc = (delegate* unmanaged<nint*, nuint, uint, int>)library.Get("cudaHostAlloc");
        _freeHost = (delegate* unmanaged<nint, int>)library.Get("cudaFreeHost");
        _memGetInfo = (delegate* unmanaged<nuint*, nuint*, int>)library.Get("cudaMemGetInfo");
        _copy = (delegate* unmanaged<nint, nint, nuint, int, nint, int>)library.Get("cudaMemcpyAsync");
    }

    /// <summary>The runtime of this process, loaded when it is first asked for.</summary>
    public static CudaRuntime Instance => Runtime.Value;

    /// <summary>Name under which it was loaded.</summary>
    public string Name { get; }

    /// <summary>Devices that this process sees.</summary>
    public int DeviceCount
    {
        get
        {
            int count;
            Check(_getDeviceCount(&count), "counting devices");
            return count;
        }
    }

    /// <summary>Makes a device the one that the calling thread uses.</summary>
    public void SelectDevice(int device) => Check(_setDevice(device), $"selecting device {device}");

    /// <summary>A stream that waits for nothing but the events it is told to wait for.</summary>
    public nint CreateStream()
    {
        nint stream;
        Check(_streamCreate(&stream, NonBlockingStream), "making a stream");
        return stream;
    }

    public void DestroyStream(nint stream) => Check(_streamDestroy(stream), "destroying a stream");

    /// <summary>Blocks the calling thread until the stream has done what it was given.</summary>
    public void Synchronize(nint stream) => Check(_streamSynchronize(stream), "waiting for a stream");

    /// <summary>Later work of the stream begins after what was recorded in the event.</summary>
    public void Wait(nint stream, nint @event) => Check(_streamWaitEvent(stream, @event, 0), "ordering a stream after an event");

    public nint CreateEvent()
    {
        nint @event;
        Check(_eventCreate(&@event, EventWithoutTime), "making an event");
        return @event;
    }

    /// <summary>The event stands for all work that the stream has been given so far.</summary>
    public void Record(nint @event, nint stream) => Check(_eventRecord(@event, stream), "recording an event");

    /// <summary>Whether the recorded work is done; an error of that work shows here.</summary>
    public bool IsComplete(nint @event)
    {
        int code = _eventQuery(@event);
        if (code == NotReady)
            return false;
        Check(code, "asking for an event");
        return true;
    }

    public void DestroyEvent(nint @event) => Check(_eventDestroy(@event), "destroying an event");

    /// <summary>Memory of the calling thread's device.</summary>
    public nint Allocate(int bytes)
    {
        nint memory;
        Check(_malloc(&memory, (nuint)bytes), $"allocating {bytes} bytes");
        return memory;
    }

    public void Free(nint memory) => Check(_free(memory), "freeing memory");

    /// <summary>Host memory that stays in place, so that devices copy it by themselves.</summary>
    public nint AllocatePinned(long bytes)
    {
        nint memory;
        Check(_hostAlloc(&memory, (nuint)bytes, 0), $"pinning {bytes} bytes of host memory");
        return memory;
    }

    public void FreePinned(nint memory) => Check(_freeHost(memory), "freeing pinned memory");

    /// <summary>Bytes of the calling thread's device: those that nobody uses, and all.</summary>
    public (long Free, long Total) Memory
    {
        get
        {
            nuint free,
                total;
            Check(_memGetInfo(&free, &total), "asking for the device's memory");
            return ((long)free, (long)total);
        }
    }

    /// <summary>Copies on a stream; the addresses tell where they are.</summary>
    public void Copy(nint source, nint destination, long bytes, nint stream) =>
        Check(_copy(destination, source, (nuint)bytes, CopyByAddress, stream), $"copying {bytes} bytes");

    private void Check(int code, string what)
    {
        if (code != 0)
            throw new NcclException($"CUDA reports error {code} ({Marshal.PtrToStringUTF8((nint)_getErrorString(code))}) while {what}");
    }
}
