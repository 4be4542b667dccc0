using Uniscale.Collectives;
using Uniscale.Collectives.Nccl;
using Uniscale.Configuration;

namespace Uniscale.Launching.Ranks;

/// <summary>Where the tensors of a job's ranks lie, and by what their collectives go.</summary>
public sealed record RankDevices
{
    /// <summary>
    /// With the value <c>nccl</c>, ranks that compute on the CPU communicate by NCCL too: for the tests on NCCL's emulator, whose devices
    /// address host memory.
    /// </summary>
    public const string CollectivesVariable = "UNISCALE_COLLECTIVES";

    private RankDevices(bool areCuda, bool useNccl) => (AreCuda, UseNccl) = (areCuda, useNccl);

    /// <summary>Tensors in host memory; collectives by threads or MPI.</summary>
    public static RankDevices Host { get; } = new(areCuda: false, useNccl: false);

    /// <summary>Tensors in host memory that devices address too; collectives by NCCL.</summary>
    public static RankDevices HostByNccl { get; } = new(areCuda: false, useNccl: true);

    /// <summary>Tensors on CUDA devices, one a rank; collectives by NCCL.</summary>
    public static RankDevices Cuda { get; } = new(areCuda: true, useNccl: true);

    /// <summary>Tensors lie on CUDA devices, one a rank.</summary>
    public bool AreCuda { get; }

    /// <summary>Collectives go by NCCL.</summary>
    public bool UseNccl { get; }

    /// <summary>Those that <c>train.device</c> asks for.</summary>
    public static RankDevices Of(RunConfiguration configuration) =>
        configuration.Train.Device == "cuda" ? Cuda
        : Environment.GetEnvironmentVariable(CollectivesVariable) == "nccl" ? HostByNccl
        : Host;

    /// <summary>
    /// The world in which a rank computes, on the world that its launcher made; owns that from then on. All ranks call it.
    /// </summary>
    /// <param name="control">All ranks, as threads or over MPI.</param>
    /// <param name="localRank">Place among the ranks of this host: the number of the rank's device.</param>
    /// <exception cref="UserErrorException">A library or a device is missing.</exception>
    public IWorld Around(IWorld control, int localRank)
    {
        if (!UseNccl)
            return control;
        try
        {
            return NcclWorld.Join(control, new NcclDevice(localRank) { ComputesOnHost = !AreCuda });
        }
        catch (NcclException failure)
        {
            throw new UserErrorException(failure.Message);
        }
    }
}
