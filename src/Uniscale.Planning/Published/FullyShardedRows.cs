using Uniscale.Configuration;
using static Uniscale.Planning.Published.Shapes;

namespace Uniscale.Planning.Published;

/// <summary>Fully sharded data parallelism of PyTorch (ZeRO-3 here): llm-foundry on A100 and H100, torchtitan on H100.</summary>
public static class FullyShardedRows
{
    private const int MptVocabulary = 50368;

    /// <summary>A row of llm-foundry's table.</summary>
    private readonly record struct Mpt(
        string Size,
        int Context,
        int Gpus,
        int Micro,
        int Accumulation,
        double TokensPerGpu,
        bool Recomputed
    );

    /// <summary>All of them; every second row is fitted on, beginning with the first.</summary>
    public static IEnumerable<PublishedRow> All => [.. Foundry("a100-80-mosaic", A100), .. Foundry("h100-80-mosaic", H100), .. Torchtitan];

    /// <summary>Rows of A100 80 GB with at least 7B parameters (scripts/train/benchmarking/README.md).</summary>
    private static readonly Mpt[] A100 =
    [
        new("70b", 2048, 64, 8, 4, 410, true),
        new("70b", 2048, 32, 2, 16, 373, true),
        new("30b", 8192, 8, 1, 21, 574, true),
        new("30b", 4096, 8, 1, 21, 814, true),
        new("30b", 2048, 8, 3, 21, 916, true),
        new("30b", 1024, 8, 6, 21, 946, true),
        new("13b", 32768, 8, 1, 3, 1016, true),
        new("13b", 16384, 8, 3, 3, 1431, true),
        new("13b", 8192, 8, 5, 3, 1795, true),
        new("13b", 4096, 8, 10, 3, 2060, true),
        new("13b", 2048, 8, 2, 3, 2262, false),
        new("13b", 1024, 8, 40, 3, 2330, true),
        new("7b", 65536, 8, 1, 2, 1013, true),
        new("7b", 32768, 8, 2, 2, 1672, true),
        new("7b", 16384, 8, 4, 2, 2453, true),
        new("7b", 8192, 8, 8, 2, 3206, true),
        new("7b", 4096, 8, 16, 2, 3684, true),
        new("7b", 2048, 8, 6, 2, 4641, false),
    ];

    /// <summary>Rows of H100 80 GB in bf16 with at least 7B parameters.</summary>
    private static readonly Mpt[] H100 =
    [
        new("70b", 2048, 64, 8, 4, 1039, true),
        new("70b", 2048, 32, 2, 16, 882, true),
        new("30b", 8192, 8, 1, 21, 1384, true),
        new("30b", 4096, 8, 1, 21, 1802, true),
        new("30b", 2048, 32, 14, 3, 2308, true),
        new("30b", 2048, 16, 10, 3, 2263, true),
        new("30b", 2048, 8, 3, 21, 2002, true),
        new("30b", 1024, 8, 6, 21, 2084, true),
        new("13b", 32768, 8, 1, 3, 1976, true),
        new("13b", 16384, 8, 3, 3, 2985, true),
        new("13b", 4096, 8, 10, 3, 4717, true),
        new("13b", 2048, 64, 2, 1, 4800, false),
        new("13b", 2048, 32, 2, 1, 4811, false),
        new("13b", 2048, 16, 2, 1, 4767, false),
        new("13b", 2048, 8, 2, 1, 4792, false),
        new("13b", 1024, 8, 40, 3, 5502, true),
        new("7b", 32768, 8, 2, 2, 3318, true),
        new("7b", 8192, 8, 8, 2, 6935, true),
        new("7b", 4096, 8, 16, 2, 8611, true),
        new("7b", 2048, 8, 6, 1, 10643, false),
        new("7b", 1024, 8, 64, 2, 10203, true),
    ];

    /// <summary>torchtitan, 2024-12: Llama 3.1 8B in bf16; the float8 rows cannot be expressed. Every second layer is recomputed; which
    /// operations its
    /// selective recomputation keeps is not published.</summary>
    private static IEnumerable<PublishedRow> Torchtitan
    {
        get
        {
            (int Gpus, string Stack, double Tokens)[] rows =
            [
                (8, "torchtitan", 5762),
                (8, "torchtitan-compile", 6667),
                (128, "torchtitan", 5605),
                (128, "torchtitan-compile", 6514),
            ];
            foreach (var (gpus, stack, tokens) in rows)
            {
                var spec = FullySharded(Llama(4096, 32, 8, 32, 14336, 128256, 8192), gpus, 2, 1) with
                {
                    Recompute = RecomputeKind.EveryKth,
                    RecomputeEvery = 2,
                };
                yield return new PublishedRow(
                    "torchtitan, 2024-12",
                    $"8B on {gpus}, {stack}",
                    "h100-96-titan",
                    stack,
                    spec,
                    2 * 8192 / tokens,
                    gpus == 8,
                    "selective recomputation is every second layer here"
                );
            }
        }
    }

    private static IEnumerable<PublishedRow> Foundry(string cluster, Mpt[] rows)
    {
        for (int i = 0; i < rows.Length; i++)
        {
            var row = rows[i];
            var spec = FullySharded(ModelOf(row.Size, row.Context), row.Gpus, row.Micro, row.Accumulation) with
            {
                Recompute = row.Recomputed ? RecomputeKind.Block : RecomputeKind.None,
            };
            yield return new PublishedRow(
                $"llm-foundry, {cluster[..4].ToUpperInvariant()}",
                $"{row.Size} on {row.Gpus}, context {row.Context}",
                cluster,
                "llm-foundry",
                spec,
                (double)row.Micro * row.Accumulation * row.Context / row.TokensPerGpu,
                i % 2 == 0
            );
        }
    }

    private static StepSpecification FullySharded(ModelShape model, int gpus, int micro, int accumulation) =>
        Layout(model, 1, 1, gpus, 1, gpus * micro * accumulation, micro) with
        {
            ZeroStage = 3,
            ZeroGroup = gpus,
        };

    /// <summary>MPT: no biases, learned positions, tied embeddings; the sizes give the table's parameter counts within 0.1%.</summary>
    private static ModelShape ModelOf(string size, int context)
    {
        var (hidden, heads, layers) = size switch
        {
            "7b" => (4096, 32, 32),
            "13b" => (5120, 40, 40),
            "30b" => (7168, 56, 48),
            _ => (8192, 64, 80),
        };
        return Gpt(hidden, heads, layers, MptVocabulary, context) with { QkvBias = false, AttentionOutputBias = false, FfnBias = false };
    }
}
