using Uniscale.Configuration;
using static Uniscale.Planning.Published.Shapes;

namespace Uniscale.Planning.Published;

/// <summary>
/// InternEvo's 7B on A100 with 4 × 100 Gb/s a node (doc/en/train_performance.md), and InternLM 104B (technical report, 2023).
/// </summary>
public static class InternEvoRows
{
    private const string Cluster = "a100-80-roce";
    private const string Stack = "internevo";
    private const string Table = "InternEvo, train_performance.md";

    private static readonly int[] Gpus = [8, 16, 32, 64, 128, 256, 512, 1024];

    /// <summary>InternLM 7B.</summary>
    private static readonly ModelShape Model = Llama(4096, 32, 32, 32, 11008, 103168, 2048) with
    {
        QkvBias = true,
        AttentionOutputBias = true,
    };

    /// <summary>All of them; in each table every second row is fitted on, beginning with the first.</summary>
    public static IEnumerable<PublishedRow> All =>
        [
            .. Scaling("tp 1, ZeRO-1 over all", 1, 0, 2, [4062, 3842, 3752, 3690, 3571, 3209, 2861, 2271]),
            .. Scaling("tp 1, ZeRO-1 over 8", 1, 8, 2, [4078, 3939, 3919, 3944, 3928, 3920, 3835, 3625]),
            .. Scaling("tp 2, ZeRO-1 over all", 2, 0, 4, [3822, 3595, 3475, 3438, 3308, 3094, 2992, 2785]),
            .. Scaling("tp 2, ZeRO-1 over 4", 2, 4, 4, [3761, 3658, 3655, 3650, 3651, 3653, 3589, 3486]),
            .. Recomputed([3314, 3268, 3323, 3217, 3260, 3215, 3199, 3163]),
            InternLm,
        ];

    /// <summary>
    /// 104B on 1,024 GPUs at 203.6 tokens a GPU and second; the layout is not published, that of configs/models/internlm-104b.yaml stands
    /// for it. Never fitted on.
    /// </summary>
    public static PublishedRow InternLm
    {
        get
        {
            var model = Llama(10240, 80, 80, 82, 27328, 65536, 2048);
            var spec = Layout(model, 8, 4, 32, 1, 2048, 1) with
            {
                SequenceParallel = true,
                ZeroStage = 1,
                ZeroGroup = 32,
                Recompute = RecomputeKind.Selective,
            };
            return new PublishedRow(
                "InternLM report, 2023",
                "104B on 1024",
                Cluster,
                Stack,
                spec,
                Seconds(spec, 203.6),
                IsFitted: false,
                "neither layout, recomputation nor network is published: those of configs/models/internlm-104b.yaml and of InternEvo's nodes"
            );
        }
    }

    private static IEnumerable<PublishedRow> Scaling(string name, int tensor, int group, int micro, double[] tokens)
    {
        for (int i = 0; i < Gpus.Length; i++)
        {
            int data = Gpus[i] / tensor;
            var spec = Layout(Model, tensor, 1, data, 1, data * micro * 4, micro) with
            {
                ZeroStage = 1,
                ZeroGroup = group == 0 ? data : group,
            };
            yield return new PublishedRow(Table, $"7B on {Gpus[i]}, {name}", Cluster, Stack, spec, Seconds(spec, tokens[i]), i % 2 == 0);
        }
    }

    private static IEnumerable<PublishedRow> Recomputed(double[] tokens)
    {
        for (int i = 0; i < Gpus.Length; i++)
        {
            var spec = Layout(Model, 1, 1, Gpus[i], 1, Gpus[i] * 8, 8) with
            {
                ZeroStage = 1,
                ZeroGroup = 8,
                Recompute = RecomputeKind.Block,
            };
            yield return new PublishedRow(
                Table,
                $"7B on {Gpus[i]}, recomputed, ZeRO-1 over 8",
                Cluster,
                Stack,
                spec,
                Seconds(spec, tokens[i]),
                i % 2 == 0
            );
        }
    }

    /// <summary>Seconds of a step from tokens a rank and second.</summary>
    private static double Seconds(StepSpecification spec, double tokens) =>
        (double)spec.Microbatches * spec.MicrobatchSize * spec.Model.Context * spec.Mesh.Data / spec.Mesh.Size / tokens;
}
