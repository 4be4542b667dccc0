namespace Uniscale.Launching.Processes;

/// <summary>
/// Jobs whose ranks are all on this machine: they speak through its memory, so that their MPI need not listen to any network. By themselves
/// both MPIs
/// open ports on every interface for peers that will never come.
/// </summary>
internal static class OneHost
{
    /// <summary>Shared memory that an MPI may take for a rank; Open MPI 5 takes half of it.</summary>
    private const long SharedBytesOfRank = 32L << 20;

    private const string SharedMemory = "/dev/shm";

    /// <summary>
    /// Options of Open MPI: neither its own transport over TCP nor the one of libfabric; messages between ranks of a host go by shared
    /// memory.
    /// </summary>
    public static IReadOnlyList<string> OpenMpiOptions { get; } = ["--mca", "btl", "^tcp,ofi", "--mca", "mtl", "^ofi"];

    /// <summary>Variables of the transports that either MPI may use: the loopback interface is all that they see.</summary>
    public static IReadOnlyDictionary<string, string> Variables { get; } =
        new Dictionary<string, string>
        {
            ["UCX_NET_DEVICES"] = "lo",
            ["FI_TCP_IFACE"] = "lo",
            ["FI_SOCKETS_IFACE"] = "lo",
        };

    /// <summary>Whether all ranks of a job are on this machine, and can speak through its memory.</summary>
    /// <param name="hosts">Names of the host file; null: there is none.</param>
    /// <param name="ranks">Ranks of the job.</param>
    /// <param name="environment">All variables that this process has.</param>
    public static bool Holds(IReadOnlyList<string>? hosts, int ranks, IReadOnlyDictionary<string, string> environment) =>
        (hosts is null ? !Allocation.IsIn(environment) : AreAll(hosts)) && HasRoomFor(ranks);

    /// <summary>Whether all hosts of a file are this machine.</summary>
    public static bool AreAll(IReadOnlyList<string> hosts) => hosts.All(IsThisMachine);

    private static bool IsThisMachine(string host) => host is "localhost" or "127.0.0.1" || HostFile.IsSame(host, Environment.MachineName);

    private static bool HasRoomFor(int ranks)
    {
        try
        {
            return Directory.Exists(SharedMemory) && new DriveInfo(SharedMemory).AvailableFreeSpace >= ranks * SharedBytesOfRank;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
