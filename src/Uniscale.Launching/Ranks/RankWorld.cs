using Uniscale.Collectives;
using Uniscale.Collectives.InProcess;
using Uniscale.Collectives.Mpi;
using Uniscale.Configuration;

namespace Uniscale.Launching.Ranks;

/// <summary>Joins the job that a launcher has started.</summary>
public static class RankWorld
{
    /// <summary>
    /// The world of this process: MPI's where a launcher started it, else a world of one that needs no MPI. A world of another size than
    /// the environment announces is refused: the processes would train alone, each thinking itself rank 0.
    /// </summary>
    public static IWorld Join(RankEnvironment environment)
    {
        if (!environment.IsLaunched)
            return InProcessWorld.Create(1)[0];
        if (environment.Launcher == LauncherKind.Torchrun)
            throw new UserErrorException(
                $"This process is rank {environment.Rank} of {environment.WorldSize} for torchrun{Meeting()}, which Uniscale does not join: use 'uniscale launch -n "
                    + $"{environment.WorldSize}', mpirun or srun; under Kubernetes 'uniscale launch' as the command of every pod (scripts/templates/kubernetes-pytorchjob.yaml)."
            );
        var world = MpiWorld.Join();
        if (world.Size == environment.WorldSize && world.Rank == environment.Rank)
            return world;
        string advice =
            environment.Launcher == LauncherKind.Slurm
                ? "start it with srun --mpi=pmix (or pmi2), or let 'uniscale launch' call mpirun"
                : "use the mpirun that belongs to the installed MPI library ('uniscale doctor' names it)";
        string message =
            $"{environment.Launcher} announces rank {environment.Rank} of {environment.WorldSize}, but MPI says rank {world.Rank} of {world.Size}: "
            + $"{advice}; where these variables are left over from another job, `unset {environment.SizeVariable}`.{Environment.NewLine}{environment.ToTable()}";
        world.Dispose();
        throw new UserErrorException(message);
    }

    /// <summary>Where the ranks of torchrun and of Kubeflow's PyTorchJob meet: a store over TCP, of which Uniscale has none.</summary>
    private static string Meeting() =>
        Environment.GetEnvironmentVariable("MASTER_ADDR") is { Length: > 0 } address
            ? $" or a PyTorchJob that meets at {address}:{Environment.GetEnvironmentVariable("MASTER_PORT")}"
            : "";
}
