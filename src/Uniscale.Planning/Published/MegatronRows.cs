using Uniscale.Configuration;
using static Uniscale.Planning.Published.Shapes;

namespace Uniscale.Planning.Published;

/// <summary>
/// Rows of Megatron-LM on A100: Narayanan et al., 2021 (SC21), Korthikanti et al., 2022, and the baseline of MegaScale (Jiang et al.,
/// 2024).
/// </summary>
public static class MegatronRows
{
    private const string Cluster = "a100-80-selene";
    private const string Stack = "megatron";
    private const string Chosen = "the microbatch is not in the table: the planner's fastest of 1, 2, 4, 8; chunks are not either: 1";

    /// <summary>All of them.</summary>
    public static IEnumerable<PublishedRow> All => [.. Korthikanti, .. Narayanan, .. MegaScale];

    /// <summary>
    /// Korthikanti et al., 2022, table 5: each model with full recomputation, and with sequence parallelism and selective recomputation.
    /// </summary>
    public static IEnumerable<PublishedRow> Korthikanti
    {
        get
        {
            (
                string Name,
                ModelShape Model,
                int Tensor,
                int Pipeline,
                int Chunks,
                int Batch,
                int Micro,
                double Full,
                double Selective,
                bool Fitted
            )[] rows =
            [
                ("22B", Gpt(6144, 64, 48), 8, 1, 1, 4, 4, 1.42, 1.10, true),
                ("175B", Gpt(12288, 96, 96), 8, 8, 3, 64, 1, 18.13, 13.75, false),
                ("530B", Gpt(20480, 128, 105), 8, 35, 3, 280, 1, 49.05, 37.83, true),
                ("1T", Gpt(25600, 160, 128), 8, 64, 1, 512, 1, 94.42, 71.49, false),
            ];
            foreach (var row in rows)
            {
                var spec = Layout(row.Model, row.Tensor, row.Pipeline, 1, row.Chunks, row.Batch, row.Micro);
                yield return new PublishedRow(
                    "Korthikanti 2022, table 5",
                    $"{row.Name} full recomputation",
                    Cluster,
                    Stack,
                    spec with
                    {
                        Recompute = RecomputeKind.Block,
                    },
                    row.Full,
                    row.Fitted
                );
                yield return new PublishedRow(
                    "Korthikanti 2022, table 5",
                    $"{row.Name} SP + selective",
                    Cluster,
                    Stack,
                    spec with
                    {
                        Recompute = RecomputeKind.Selective,
                        SequenceParallel = true,
                    },
                    row.Selective,
                    row.Fitted
                );
            }
        }
    }

    /// <summary>
    /// Narayanan et al., 2021, table 1 (weak scaling) and GPT-3 on 1,024 GPUs (Megatron-LM README). Their TFLOP/s count 96 B s L h² (1 +
    /// s/6h + V/16Lh).
    /// </summary>
    public static IEnumerable<PublishedRow> Narayanan
    {
        get
        {
            (
                string Name,
                int Heads,
                int Hidden,
                int Layers,
                int Tensor,
                int Pipeline,
                int Gpus,
                int Batch,
                double Teraflops,
                bool Fitted,
                bool Verified
            )[] rows =
            [
                ("1.7B", 24, 2304, 24, 1, 1, 32, 512, 137, true, true),
                ("3.6B", 32, 3072, 30, 2, 1, 64, 512, 138, false, false),
                ("7.5B", 32, 4096, 36, 4, 1, 128, 512, 142, true, false),
                ("18.4B", 48, 6144, 40, 8, 1, 256, 1024, 135, false, false),
                ("39.1B", 64, 8192, 48, 8, 2, 512, 1536, 138, true, false),
                ("76.1B", 80, 10240, 60, 8, 4, 1024, 1792, 140, false, false),
                ("145.6B", 96, 12288, 80, 8, 8, 1536, 2304, 148, true, false),
                ("310.1B", 128, 16384, 96, 8, 16, 1920, 2160, 155, false, false),
                ("529.6B", 128, 20480, 105, 8, 35, 2520, 2520, 163, true, false),
                ("1008B", 160, 25600, 128, 8, 64, 3072, 3072, 163, false, true),
                ("GPT-3 175B", 96, 12288, 96, 8, 16, 1024, 1536, 138, false, true),
            ];
            foreach (var row in rows)
            {
                var model = Gpt(row.Hidden, row.Heads, row.Layers);
                double seconds = HardwareFlops(model, row.Batch) / (row.Teraflops * 1e12 * row.Gpus);
                int data = row.Gpus / row.Tensor / row.Pipeline;
                var spec = Layout(model, row.Tensor, row.Pipeline, data, 1, row.Batch, 1) with { Recompute = RecomputeKind.Block };
                yield return new PublishedRow(
                    "Narayanan 2021, table 1",
                    row.Name + (row.Verified ? "" : " (unverified)"),
                    Cluster,
                    Stack,
                    spec,
                    seconds,
                    row.Fitted,
                    Chosen
                )
                {
                    Alternatives = Alternatives(spec),
                };
            }
        }
    }

    /// <summary>Jiang et al., 2024, table 2: the Megatron-LM columns, 175B on A100, tensor 8, pipeline 8, 6 chunks.</summary>
    public static IEnumerable<PublishedRow> MegaScale
    {
        get
        {
            (int Gpus, int Batch, double Seconds, bool Fitted)[] rows =
            [
                (256, 768, 40.0, true),
                (512, 768, 21.2, false),
                (768, 768, 15.2, false),
                (1024, 768, 11.9, true),
                (3072, 6144, 29.02, false),
                (6144, 6144, 14.78, true),
                (8192, 6144, 12.24, false),
                (12288, 6144, 8.57, true),
            ];
            foreach (var row in rows)
            {
                int data = row.Gpus / 64;
                var spec = Layout(Gpt(12288, 128, 96, vocabulary: 64000), 8, 8, data, 2, row.Batch, 1) with
                {
                    Chunks = 6,
                    Recompute = RecomputeKind.Selective,
                    SequenceParallel = true,
                    ZeroStage = 1,
                    ZeroGroup = data,
                };
                yield return new PublishedRow(
                    "MegaScale 2024, table 2 (Megatron-LM)",
                    $"175B on {row.Gpus}, batch {row.Batch}",
                    Cluster,
                    Stack,
                    spec,
                    row.Seconds,
                    row.Fitted
                );
            }
        }
    }

    private static StepSpecification[] Alternatives(StepSpecification spec) =>
        [
            .. new[] { 1, 2, 4, 8 }
                .Where(micro => spec.Microbatches % micro == 0)
                .Select(micro => spec with { MicrobatchSize = micro, Microbatches = spec.Microbatches / micro }),
        ];

    /// <summary>Operations of a step with full recomputation (Narayanan et al., 2021, appendix): 96 B s L h² (1 + s/6h + V/16Lh).</summary>
    public static double HardwareFlops(ModelShape model, int batch)
    {
        double s = model.Context,
            h = model.Hidden,
            l = model.Layers;
        return 96.0 * batch * s * l * h * h * (1 + s / (6 * h) + model.Vocabulary / (16 * l * h));
    }
}
