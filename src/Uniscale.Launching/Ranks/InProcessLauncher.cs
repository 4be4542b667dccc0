using System.Runtime.ExceptionServices;
using Uniscale.Collectives;
using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;

namespace Uniscale.Launching.Ranks;

/// <summary>Runs ranks as threads of this process.</summary>
public static class InProcessLauncher
{
    /// <summary>Native code under libtorch recurses; threads made here get what the main thread of a process has.</summary>
    private const int StackBytes = 16 << 20;

    /// <summary>
    /// Runs <paramref name="body"/> on every rank and returns when all are done. When one throws, the others' collectives fail at once, and
    /// the first failure is thrown: a user's error and a stop by policy as they are, others as <see cref="RankFailedException"/>.
    /// </summary>
    /// <param name="ranks">Number of threads.</param>
    /// <param name="body">The rank.</param>
    /// <param name="devices">Where the ranks compute; null: on the host.</param>
    public static void Run(int ranks, Action<IWorld> body, RankDevices? devices = null)
    {
        var worlds = InProcessWorld.Create(ranks);
        var first = new FirstFailure();
        var threads = worlds
            .Select(world => new Thread(() => RunRank(world, devices ?? RankDevices.Host, body, first), StackBytes)
            {
                Name = $"rank {world.Rank}",
            })
            .ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        first.Throw();
    }

    private static void RunRank(IWorld control, RankDevices devices, Action<IWorld> body, FirstFailure first)
    {
        var world = control;
        try
        {
            using (control)
            {
                world = devices.Around(control, localRank: control.Rank);
                using (world)
                    body(world);
            }
        }
        catch (Exception failure) when (Note(world, failure, first))
        {
            // Noted in the filter: it runs before the stack unwinds, while the memory that others may still read is there.
        }
    }

    private static bool Note(IWorld world, Exception failure, FirstFailure first)
    {
        first.Offer(world.Rank, failure);
        world.Abort(FailureSentence.Of(failure));
        return true;
    }

    private sealed class FirstFailure
    {
        private RankFailedException? _failure;

        public void Offer(int rank, Exception failure) =>
            Interlocked.CompareExchange(ref _failure, new RankFailedException(rank, failure), null);

        public void Throw()
        {
            if (_failure?.InnerException is UserErrorException or TrainingStoppedException or OperationCanceledException)
                ExceptionDispatchInfo.Throw(_failure.InnerException);
            if (_failure is not null)
                throw _failure;
        }
    }
}
