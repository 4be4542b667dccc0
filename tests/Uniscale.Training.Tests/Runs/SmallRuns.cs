using System.Text.Json;
using Uniscale.Checkpoints.Catalog;
using Uniscale.Checkpoints.Loading;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Launching.Ranks;
using Uniscale.Training.Runs;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Tests.Runs;

/// <summary>
/// A folder with a small corpus and the runs made from it, ranks as threads; six steps of four sequences unless settings say otherwise.
/// </summary>
internal sealed class SmallRuns : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory();

    public SmallRuns()
    {
        var random = new Random(5);
        using var writer = new ShardWriter(In("corpus"), 64);
        for (int document = 0; document < 400; document++)
        {
            int start = random.Next(64);
            writer.Add([.. Enumerable.Range(0, 40).Select(i => (start + i * (1 + start % 3)) % 64)]);
        }
        writer.Complete();
    }

    public void Dispose() => _folder.Delete(recursive: true);

    /// <summary>A path in the folder; a run's directory by its name.</summary>
    public string In(string path) => Path.Combine(_folder.FullName, path);

    /// <summary>The configuration of a run, each setting as in <c>--set</c>.</summary>
    public ResolvedConfiguration Configure(string run, params IEnumerable<string> settings) =>
        ConfigurationLoader.Parse(
            $$"""
            run_directory: {{In(run)}}
            model: { layers: 1, hidden: 16, heads: 2, ffn: 32, context: 16, vocabulary: 64 }
            data: { sources: [{ name: corpus, shards: ["{{In("corpus")}}"] }] }
            batch: { global: 4, micro: 1 }
            train: { steps: 6, threads: 1 }
            logging: { tensor_board: false, peak_flops: 1e12 }
            """,
            [.. settings]
        );

    /// <summary>Trains on ranks that are threads; returns the result of rank 0.</summary>
    public static TrainingResult Train(TrainingJob job, int ranks)
    {
        TrainingResult? result = null;
        RankLauncher.Run(
            ranks,
            job.Folder.FullPath,
            rank =>
            {
                var mine = job.Run(rank);
                if (rank.World.Rank == 0)
                    result = mine;
            }
        );
        return result!;
    }

    /// <summary>The records of one kind in a run's metrics, in order.</summary>
    public List<JsonElement> Records(string run, string kind) =>
        [
            .. File.ReadLines(In($"{run}/metrics.jsonl"))
                .Select(line => JsonDocument.Parse(line).RootElement)
                .Where(record => record.GetProperty("kind").GetString() == kind),
        ];

    /// <summary>The newest checkpoint of a run.</summary>
    public CheckpointReader Newest(string run) => CheckpointReader.Open(CheckpointCatalog.Find(In($"{run}/checkpoints")));
}
