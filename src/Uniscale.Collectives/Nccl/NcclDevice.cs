namespace Uniscale.Collectives.Nccl;

/// <summary>What a rank's communication has to know of its device. Ranks of one host need devices of their own.</summary>
/// <param name="Index">Number of the device among those that this process sees.</param>
public sealed record NcclDevice(int Index)
{
    /// <summary>
    /// The stream on which the rank computes (a <c>cudaStream_t</c>; 0: the device's own): an operation begins after what the stream had
    /// been given
    /// when it was posted, and what the stream is given after <see cref="IWork.Wait"/> sees the result.
    /// </summary>
    public nint ComputeStream { get; init; }

    /// <summary>
    /// The rank computes on its thread, in memory that host and device address alike: <see cref="IWork.Wait"/> then holds the thread until
    /// the
    /// result is there.
    /// </summary>
    public bool ComputesOnHost { get; init; }
}
