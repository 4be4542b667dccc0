using System.Diagnostics;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Kernels.Cpu;

namespace Uniscale.Experiments.Benchmarks;

/// <summary>
/// Feeding: tokens are written as a shard, and the samples of optimizer steps are read from it in the curriculum's shuffled order, as one
/// rank
/// reads them. Rates are bytes of tokens as the model takes them, beside a plain copy of one thread.
/// </summary>
/// <param name="rounds">Rounds; the median counts.</param>
public sealed class DataBenchmark(int rounds)
{
    private const int TokenCount = 8 << 20,
        DocumentTokens = 1000,
        Vocabulary = 32000,
        Context = 512,
        Batch = 64,
        Steps = 64;

    /// <summary>Measures in a folder of its own that is deleted after.</summary>
    public IReadOnlyList<Measurement> Run()
    {
        string folder = Directory.CreateTempSubdirectory("uniscale-benchmark-").FullName;
        try
        {
            string shard = Path.Combine(folder, "drawn");
            double written = Write(shard);
            using var curriculum = Curriculum.FromConfiguration(
                new RunConfiguration
                {
                    Model = new() { Context = Context, Vocabulary = Vocabulary },
                    Data = new()
                    {
                        Sources =
                        [
                            new()
                            {
                                Name = "drawn",
                                Domain = "drawn",
                                Shards = [shard],
                            },
                        ],
                    },
                    Batch = new() { Global = Batch },
                    Train = new() { Steps = Steps },
                }
            );
            double copy = PeakSpeed.CopyBandwidth(threads: 1);
            double plain = Statistics.Median(Repeat(() => Read(curriculum, withDocuments: false)));
            double masked = Statistics.Median(Repeat(() => Read(curriculum, withDocuments: true)));
            long bytes = (long)Steps * Batch * (Context + 1) * sizeof(int);
            string detail = $"{(long)Steps * Batch * Context / plain / 1e6:F0}M tokens/s, context {Context}, shuffled, from the page cache";
            return
            [
                new Measurement(
                    "write a shard",
                    $"{TokenCount / written / 1e6:F0}M tokens/s, with fsync",
                    written,
                    2.0 * TokenCount / written,
                    Yardstick.Copy,
                    copy
                ),
                new Measurement("read samples", detail, plain, bytes / plain, Yardstick.Copy, copy),
                new Measurement(
                    "read samples and documents",
                    $"{(long)Steps * Batch * Context / masked / 1e6:F0}M tokens/s",
                    masked,
                    2 * bytes / masked,
                    Yardstick.Copy,
                    copy
                ),
            ];
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private double[] Repeat(Func<double> body)
    {
        body();
        double[] seconds = new double[rounds];
        for (int round = 0; round < rounds; round++)
            seconds[round] = body();
        return seconds;
    }

    private static double Write(string shard)
    {
        var random = new Random(1);
        int[] document = [.. Enumerable.Range(0, DocumentTokens).Select(_ => random.Next(Vocabulary))];
        long start = Stopwatch.GetTimestamp();
        using var writer = new ShardWriter(shard, Vocabulary);
        for (int written = 0; written < TokenCount; written += DocumentTokens)
            writer.Add(document);
        writer.Complete();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static double Read(Curriculum curriculum, bool withDocuments)
    {
        int[] tokens = new int[Context + 1],
            documents = withDocuments ? new int[Context + 1] : [];
        long start = Stopwatch.GetTimestamp();
        for (long consumed = 0; consumed < (long)Steps * Batch * Context; consumed += (long)Batch * Context)
        {
            var step = curriculum.StepAt(consumed);
            for (long sample = 0; sample < step.Sequences; sample++)
                curriculum.Read(step, step.FirstSample + sample, tokens, documents);
        }
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
