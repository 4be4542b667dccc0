using System.Diagnostics;
using System.Runtime.InteropServices;
using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Memory;
using Uniscale.Collectives;
using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;
using Uniscale.Engine.Buckets;

namespace Uniscale.Experiments.Benchmarks;

/// <summary>A save and a load of all ranks of a layout.</summary>
/// <param name="Ranks">Ranks.</param>
/// <param name="Hosts">Hosts that they say they are on.</param>
/// <param name="Files">Data files that they wrote.</param>
/// <param name="PlanSeconds">Until all ranks had agreed on the plan, which they do once.</param>
/// <param name="SaveSeconds">From the beginning of the save until the last rank knew that it is committed.</param>
/// <param name="CommitSeconds">The part of it after the last rank's data was on the disk.</param>
/// <param name="DirectorySyncs">Syncs of directories in the save.</param>
/// <param name="LoadSeconds">Until all ranks had it back.</param>
public sealed record AnnouncerReport(
    int Ranks,
    int Hosts,
    int Files,
    double PlanSeconds,
    double SaveSeconds,
    double CommitSeconds,
    long DirectorySyncs,
    double LoadSeconds
);

/// <summary>
/// Saves and loads as all ranks of a layout do, each a thread of this process: their real slices, plan, files, meeting and commit, of a
/// model that is so small that a slice has a few bytes.
/// </summary>
public sealed class CheckpointAnnouncers
{
    private const int RanksOfHost = 8;

    private const int StackBytes = 512 << 10;

    private readonly SavedState _state;
    private readonly IReadOnlyList<StateTensor> _tensors;
    private readonly int _ranks;
    private readonly CheckpointOptions _options;
    private readonly string _directory;
    private long _lastDurable;

    /// <param name="configuration">The run.</param>
    /// <param name="ranks">Ranks of the job.</param>
    /// <param name="directory">Where the checkpoint lies for a while.</param>
    public CheckpointAnnouncers(RunConfiguration configuration, int ranks, string directory)
    {
        (_ranks, _directory) = (ranks, directory);
        (_state, _tensors, _) = CheckpointScale.StateOf(Shrunk(configuration), ranks);
        _options = new CheckpointOptions
        {
            Threads = 1,
            Files = configuration.Checkpoint.Files == CheckpointFiles.Node ? FileGrouping.Node : FileGrouping.Rank,
            ReserveBytes = 0,
            Probe = point =>
            {
                if (point == SavePoint.DataSynced)
                    Raise(ref _lastDurable, Stopwatch.GetTimestamp());
            },
        };
    }

    /// <summary>Measures.</summary>
    /// <exception cref="CheckpointException">The save failed, or what was loaded is not what was saved.</exception>
    public AnnouncerReport Run()
    {
        string folder = Path.Combine(_directory, $"uniscale-announcers-{Environment.ProcessId}");
        try
        {
            return Run(folder);
        }
        finally
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
    }

    private AnnouncerReport Run(string folder)
    {
        double[] times = new double[4];
        long syncs = 0;
        int files = 0;
        var worlds = InProcessWorld.Create(_ranks, hasThreads: false);
        var failures = new List<Exception>();
        Thread[] threads =
        [
            .. worlds.Select(world => new Thread(() => Guarded(world, failures, () => OneRank(world)), StackBytes)),
        ];
        foreach (var thread in threads)
            thread.Start();
        foreach (var thread in threads)
            thread.Join();
        if (failures.Count > 0)
            throw failures.Find(failure => failure is CheckpointException) ?? failures[0];
        return new AnnouncerReport(_ranks, (_ranks + RanksOfHost - 1) / RanksOfHost, files, times[0], times[1], times[2], syncs, times[3]);

        void OneRank(IWorld world)
        {
            using var saved = new SmallState([.. _state.Of(world.Rank)]);
            using var store = new CheckpointStore(folder, world, _options with { Host = $"host-{world.Rank / RanksOfHost}" });
            Timed(world, 0, () => store.Prepare(saved.Slices, behind: true, _tensors));
            long syncsBefore = Posix.DirectorySyncs;
            SaveResult? result = null;
            Timed(world, 1, () => result = store.SaveAsync(saved.ToState(_tensors)).Wait());
            if (result!.Status != SaveStatus.Durable)
                throw new CheckpointException(result.Reason);
            if (world.Rank == 0)
            {
                times[2] = Stopwatch.GetElapsedTime(_lastDurable).TotalSeconds;
                syncs = Posix.DirectorySyncs - syncsBefore;
                files = Directory.GetFiles(result.Path, "*.safetensors").Length;
            }
            using var loaded = new SmallState([.. _state.Loaded(world.Rank)], isFilled: false);
            Timed(world, 3, () => store.LoadNewest(_ => loaded.Slices));
            if (loaded.FirstDifference() is { } name)
                throw new CheckpointException($"rank {world.Rank} did not get back what was saved of tensor '{name}'");
        }

        // From when all begin until all are done.
        void Timed(IWorld world, int which, Action body)
        {
            world.Group.Barrier().Wait();
            long start = Stopwatch.GetTimestamp();
            body();
            world.Group.Barrier().Wait();
            if (world.Rank == 0)
                times[which] = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
    }

    private static void Guarded(IWorld world, List<Exception> failures, Action body)
    {
        try
        {
            body();
            world.Dispose();
        }
        catch (Exception failure)
        {
            lock (failures)
                failures.Add(failure);
            world.Abort(failure.Message);
        }
    }

    private static void Raise(ref long highest, long value)
    {
        long known;
        while ((known = Volatile.Read(ref highest)) < value)
            Interlocked.CompareExchange(ref highest, value, known);
    }

    // As many layers and tensors, with the fewest heads that the tensor group can divide.
    private static RunConfiguration Shrunk(RunConfiguration configuration)
    {
        int heads = 8 * Math.Max(1, configuration.Parallel.Tensor / 8) * configuration.Parallel.Context;
        return configuration with
        {
            Model = configuration.Model with
            {
                Heads = heads,
                KvHeads = 0,
                HeadDim = 8,
                Hidden = 8 * heads,
                Ffn = 24 * heads,
                Vocabulary = 64 * heads,
            },
        };
    }

    /// <summary>Memory for slices. All elements of a tensor are alike, and those of no two tensors.</summary>
    private sealed class SmallState : IDisposable
    {
        private readonly nint _memory;

        public SmallState(StateSlice[] slices, bool isFilled = true)
        {
            _memory = PageMemory.Allocate(Math.Max(1, slices.Sum(slice => Aligned(slice.SizeBytes))));
            nint address = _memory;
            for (int i = 0; i < slices.Length; i++)
            {
                slices[i] = slices[i] with { Address = address };
                address += (nint)Aligned(slices[i].SizeBytes);
                Elements(slices[i]).Fill((ushort)(ValueOf(slices[i].Name) ^ (isFilled ? 0 : 1)));
            }
            Slices = slices;
        }

        public IReadOnlyList<StateSlice> Slices { get; }

        public CheckpointState ToState(IReadOnlyList<StateTensor> tensors) =>
            new()
            {
                Step = 1,
                ConsumedTokens = 1,
                Slices = Slices,
                Tensors = tensors,
            };

        public string? FirstDifference() =>
            Slices.FirstOrDefault(slice => Elements(slice).ContainsAnyExcept(ValueOf(slice.Name)))?.Name;

        public void Dispose() => PageMemory.Free(_memory);

        private static long Aligned(long bytes) => (bytes + 7) / 8 * 8;

        private static Span<ushort> Elements(StateSlice slice) =>
            MemoryMarshal.Cast<byte, ushort>(PageMemory.Span(slice.Address, (int)slice.SizeBytes));

        private static ushort ValueOf(string name) => (ushort)name.GetHashCode(StringComparison.Ordinal);
    }
}
