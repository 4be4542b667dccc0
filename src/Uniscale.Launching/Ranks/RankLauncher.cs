using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Launching.Processes;
using Uniscale.Launching.Supervision;

namespace Uniscale.Launching.Ranks;

/// <summary>One rank of a running job.</summary>
/// <param name="Environment">Its place, as its launcher told it.</param>
/// <param name="World">All ranks.</param>
/// <param name="Monitor">Takes its signs of life.</param>
public sealed record RankContext(RankEnvironment Environment, IWorld World, IRunMonitor Monitor);

/// <summary>What a command that trains calls: the same body, on ranks however they come to be.</summary>
public static class RankLauncher
{
    /// <summary>Threads cannot be started again like processes, so they are given more time on a crowded machine.</summary>
    private static readonly HangLimits ThreadLimits = new() { Minimum = TimeSpan.FromSeconds(60) };

    /// <summary>Name of the launch folder in a run directory.</summary>
    public const string FolderName = "launch";

    /// <summary>
    /// Started by mpirun or srun, this process runs the body as one rank; else it runs it on threads, watched for a hang. Heartbeats and
    /// journals of collectives go to the launcher's folder, or to <c>launch</c> in the run directory.
    /// </summary>
    /// <param name="ranks">Number of threads; 0: one. A launched process refuses another number than its job has.</param>
    /// <param name="runDirectory">Directory of the run.</param>
    /// <param name="body">The rank.</param>
    /// <param name="limits">When threads that stand still are given up; null: the defaults.</param>
    /// <param name="devices">Where the ranks compute; null: on the host.</param>
    public static void Run(int ranks, string runDirectory, Action<RankContext> body, HangLimits? limits = null, RankDevices? devices = null)
    {
        var environment = RankEnvironment.Detect();
        string folder = LaunchFolder.OfThisJob()?.FullPath ?? Path.Combine(runDirectory, FolderName);
        if (environment.IsLaunched)
        {
            if (ranks > 0 && ranks != environment.WorldSize)
                throw new UserErrorException(
                    $"--ranks {ranks} was given to a job of {environment.WorldSize} ranks that {environment.Launcher} started: "
                        + $"leave --ranks out.{Environment.NewLine}{environment.ToTable()}"
                );
            ProcessRank.Run(environment, world => RunMonitored(environment, world, folder, body, NodeSigns.Local), devices);
            return;
        }
        int size = Math.Max(1, ranks);
        if (Directory.Exists(folder))
            foreach (string old in Directory.EnumerateFiles(folder, "rank-*"))
                File.Delete(old);
        Directory.CreateDirectory(folder);
        // One rank waits for nobody.
        using var watch = size > 1 ? new HangWatch(folder, limits ?? ThreadLimits) : null;
        InProcessLauncher.Run(
            size,
            world =>
            {
                watch?.Add(world);
                var place = environment with { Rank = world.Rank, WorldSize = size, LocalRank = world.Rank, LocalSize = size };
                RunMonitored(place, world, folder, body);
            },
            devices
        );
    }

    private static void RunMonitored(
        RankEnvironment environment,
        IWorld world,
        string folder,
        Action<RankContext> body,
        string? local = null
    )
    {
        using var monitor = new RankMonitor(folder, world, local);
        body(new RankContext(environment, world, monitor));
    }
}
