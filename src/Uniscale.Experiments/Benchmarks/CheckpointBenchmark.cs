using System.Diagnostics;
using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Memory;
using Uniscale.Collectives;

namespace Uniscale.Experiments.Benchmarks;

/// <summary>One measured save beside a plain write of as many bytes.</summary>
/// <param name="SizeBytes">Bytes of the checkpoint.</param>
/// <param name="PlainWrite">A plain sequential write of them with fsync, through the page cache.</param>
/// <param name="Save">The save.</param>
/// <param name="Load">Loading it again, every digest proved.</param>
public sealed record CheckpointMeasurement(long SizeBytes, TimeSpan PlainWrite, SaveResult Save, TimeSpan Load);

/// <summary>What a checkpoint costs on this machine and this storage.</summary>
public static class CheckpointBenchmark
{
    private const int PlainBlockBytes = 8 << 20;
    private const long TensorBytes = 64L << 20;

    /// <summary>
    /// Saves and loads a state of a size several times, each beside a plain write, in a folder of its own that is deleted after.
    /// </summary>
    public static IEnumerable<CheckpointMeasurement> Run(
        string directory,
        IWorld world,
        long sizeBytes,
        int rounds,
        CheckpointOptions options
    )
    {
        string folder = Directory.CreateDirectory(Path.Combine(Path.GetFullPath(directory), $".bench-{Environment.ProcessId}")).FullName;
        nint memory = PageMemory.Allocate(sizeBytes);
        try
        {
            var slices = Slices(memory, sizeBytes);
            using var store = new CheckpointStore(folder, world, options with { Keep = 1 });
            store.Prepare(slices, behind: true);
            for (int round = 1; round <= rounds; round++)
            {
                var plain = PlainWrite(Path.Combine(folder, "plain"), memory, sizeBytes);
                var save = store
                    .SaveAsync(
                        new CheckpointState
                        {
                            Step = round,
                            ConsumedTokens = 0,
                            Slices = slices,
                        }
                    )
                    .Wait();
                if (save.Status != SaveStatus.Durable)
                    throw new CheckpointException($"The measured save failed: {save.Reason}.");
                var clock = Stopwatch.StartNew();
                store.LoadNewest(_ => slices);
                yield return new CheckpointMeasurement(save.SizeBytes, plain, save, clock.Elapsed);
            }
        }
        finally
        {
            PageMemory.Free(memory);
            Directory.Delete(folder, recursive: true);
        }
    }

    private static List<StateSlice> Slices(nint memory, long sizeBytes)
    {
        var random = new Random(1);
        var slices = new List<StateSlice>();
        for (long start = 0; start < sizeBytes; start += TensorBytes)
        {
            long bytes = Math.Min(TensorBytes, sizeBytes - start);
            random.NextBytes(PageMemory.Span(memory + (nint)start, (int)bytes));
            slices.Add(new StateSlice($"w{slices.Count}", ElementType.UInt8, [bytes], [0], [bytes], memory + (nint)start));
        }
        return slices;
    }

    private static TimeSpan PlainWrite(string path, nint memory, long sizeBytes)
    {
        var clock = Stopwatch.StartNew();
        using (var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write))
        {
            for (long offset = 0; offset < sizeBytes; offset += PlainBlockBytes)
                RandomAccess.Write(
                    file,
                    PageMemory.Span(memory + (nint)offset, (int)Math.Min(PlainBlockBytes, sizeBytes - offset)),
                    offset
                );
            RandomAccess.FlushToDisk(file);
        }
        Posix.SyncDirectory(Path.GetDirectoryName(path)!);
        var elapsed = clock.Elapsed;
        File.Delete(path);
        return elapsed;
    }
}
