using System.Runtime.InteropServices;

namespace Uniscale.Collectives.Nccl.Native;

/// <summary>Names a new clique of ranks; made by one of them and given to all.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NcclUniqueId
{
    public const int Bytes = 128;

    public fixed byte Content[Bytes];
}

/// <summary>
/// How a communicator is made. The layout is that of NCCL 2.18; newer libraries go by its size and version and take their defaults for the
/// rest.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NcclConfiguration
{
    private const int Undefined = int.MinValue;

    public nuint Size;
    public uint Magic;
    public uint Version;
    public int Blocking;
    public int CgaClusterSize;
    public int MinCtas;
    public int MaxCtas;
    public nint NetName;
    public int SplitShare;

    /// <summary>Calls return at once and are asked after, so that a peer that never comes can be given up.</summary>
    public static unsafe NcclConfiguration NonBlocking =>
        new()
        {
            Size = (nuint)sizeof(NcclConfiguration),
            Magic = 0xcafebeef,
            Version = NcclLibrary.LeastVersion,
            Blocking = 0,
            CgaClusterSize = Undefined,
            MinCtas = Undefined,
            MaxCtas = Undefined,
            SplitShare = Undefined,
        };
}

/// <summary>NCCL's functions.</summary>
internal sealed unsafe class NcclLibrary
{
    /// <summary>Names a libnccl to load instead of the one that is looked for.</summary>
    public const string PathVariable = "UNISCALE_NCCL_LIBRARY";

    /// <summary>2.18.0, the first that can split communicators, as NCCL codes versions.</summary>
    public const int LeastVersion = 21800;

    /// <summary>What a call returns that goes on by itself.</summary>
    public const int InProgress = 7;

    private static readonly Lazy<NcclLibrary> Library = new(() =>
        new NcclLibrary(DeviceLibrary.Load("NCCL", PathVariable, "libnccl.so.2"))
    );

    private readonly delegate* unmanaged<int, byte*> _getErrorString;
    private readonly delegate* unmanaged<nint, byte*> _getLastError;

    private NcclLibrary(DeviceLibrary library)
    {
        Name = library.Name;
        int version;
        ((delegate* unmanaged<int*, int>)library.Get("ncclGetVersion"))(&version);
        Version = version;
        if (version < LeastVersion)
            throw new NcclException(
                $"{library.Name} is NCCL {Text(version)}, but Uniscale needs {Text(LeastVersion)} or newer, which can split communicators: "
                    + $"install one, or name another library in {PathVariable}."
            );
        _getErrorString = (delegate* unmanaged<int, byte*>)library.Get("ncclGetErrorString");
        _getLastError = (delegate* unmanaged<nint, byte*>)library.Get("ncclGetLastError");
        GetUniqueId = (delegate* unmanaged<NcclUniqueId*, int>)library.Get("ncclGetUniqueId");
        CommInitRankConfig = (delegate* unmanaged<nint*, int, NcclUniqueId, int, NcclConfiguration*, int>)
            library.Get("ncclCommInitRankConfig");
        CommSplit = (delegate* unmanaged<nint, int, int, nint*, NcclConfiguration*, int>)library.Get("ncclCommSplit");
        CommGetAsyncError = (delegate* unmanaged<nint, int*, int>)library.Get("ncclCommGetAsyncError");
        CommFinalize = (delegate* unmanaged<nint, int>)library.Get("ncclCommFinalize");
        CommDestroy = (delegate* unmanaged<nint, int>)library.Get("ncclCommDestroy");
        CommAbort = (delegate* unmanaged<nint, int>)library.Get("ncclCommAbort");
        GroupStart = (delegate* unmanaged<int>)library.Get("ncclGroupStart");
        GroupEnd = (delegate* unmanaged<int>)library.Get("ncclGroupEnd");
        AllReduce = (delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int>)library.Get("ncclAllReduce");
        ReduceScatter = (delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int>)library.Get("ncclReduceScatter");
        AllGather = (delegate* unmanaged<nint, nint, nuint, int, nint, nint, int>)library.Get("ncclAllGather");
        Broadcast = (delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int>)library.Get("ncclBroadcast");
        Send = (delegate* unmanaged<nint, nuint, int, int, nint, nint, int>)library.Get("ncclSend");
        Receive = (delegate* unmanaged<nint, nuint, int, int, nint, nint, int>)library.Get("ncclRecv");
        AllToAll = (delegate* unmanaged<nint, nint, nuint, int, nint, nint, int>)library.Find("ncclAlltoAll");
    }

    /// <summary>The library of this process, loaded when it is first asked for.</summary>
    public static NcclLibrary Instance => Library.Value;

    /// <summary>Name under which it was loaded.</summary>
    public string Name { get; }

    /// <summary>As NCCL codes it.</summary>
    public int Version { get; }

    public delegate* unmanaged<NcclUniqueId*, int> GetUniqueId { get; }

    public delegate* unmanaged<nint*, int, NcclUniqueId, int, NcclConfiguration*, int> CommInitRankConfig { get; }

    public delegate* unmanaged<nint, int, int, nint*, NcclConfiguration*, int> CommSplit { get; }

    public delegate* unmanaged<nint, int*, int> CommGetAsyncError { get; }

    public delegate* unmanaged<nint, int> CommFinalize { get; }

    public delegate* unmanaged<nint, int> CommDestroy { get; }

    public delegate* unmanaged<nint, int> CommAbort { get; }

    public delegate* unmanaged<int> GroupStart { get; }

    public delegate* unmanaged<int> GroupEnd { get; }

    public delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int> AllReduce { get; }

    public delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int> ReduceScatter { get; }

    public delegate* unmanaged<nint, nint, nuint, int, nint, nint, int> AllGather { get; }

    public delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int> Broadcast { get; }

    public delegate* unmanaged<nint, nuint, int, int, nint, nint, int> Send { get; }

    public delegate* unmanaged<nint, nuint, int, int, nint, nint, int> Receive { get; }

    /// <summary>Null before NCCL 2.28.</summary>
    public delegate* unmanaged<nint, nint, nuint, int, nint, nint, int> AllToAll { get; }

    /// <summary>Loads another library than the process's, for tests.</summary>
    internal static NcclLibrary LoadFrom(string variable) => new(DeviceLibrary.Load("NCCL", variable));

    /// <summary>NCCL's number of a type.</summary>
    public static int NumberOf(ElementType type) =>
        type switch
        {
            ElementType.UInt8 => 1,
            ElementType.Int32 => 2,
            ElementType.Int64 => 4,
            ElementType.Float16 => 6,
            ElementType.Float32 => 7,
            ElementType.Float64 => 8,
            ElementType.BFloat16 => 9,
            _ => throw new ArgumentOutOfRangeException(nameof(type)),
        };

    /// <summary>NCCL's number of a reduction.</summary>
    public static int NumberOf(ReduceOp op) =>
        op switch
        {
            ReduceOp.Sum => 0,
            ReduceOp.Max => 2,
            _ => 3,
        };

    /// <summary>Throws where a call failed; one that goes on by itself has not.</summary>
    public void Check(int code, nint communicator, string what)
    {
        if (code is 0 or InProgress)
            return;
        string last = Marshal.PtrToStringUTF8((nint)_getLastError(communicator)) ?? "";
        throw new NcclException(
            $"NCCL reports error {code} ({Marshal.PtrToStringUTF8((nint)_getErrorString(code))}{(last.Length > 0 ? $": {last.Trim()}" : "")}) "
                + $"while {what}"
        );
    }

    /// <summary>A version as people write it; the code changed with 2.9.</summary>
    internal static string Text(int version) =>
        version >= 10_000
            ? $"{version / 10_000}.{version % 10_000 / 100}.{version % 100}"
            : $"{version / 1000}.{version % 1000 / 100}.{version % 100}";
}
