using Uniscale.Checkpoints;
using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;

namespace Uniscale.Experiments.Faults;

/// <summary>
/// A few documents of counting tokens, or packs of them where the objective learns from answers: something to learn, made in milliseconds,
/// the same everywhere.
/// </summary>
internal static class SmallCorpus
{
    private const int Documents = 400,
        DocumentTokens = 40,
        Packs = 200,
        AnswersOfPack = 4;

    /// <summary>Writes the shard and returns its prefix.</summary>
    public static string Write(string folder, RunConfiguration run)
    {
        string prefix = Path.Combine(folder, "corpus");
        using var writer =
            run.Objective == ObjectiveKind.Pretrain
                ? new ShardWriter(prefix, run.Model.Vocabulary)
                : new ShardWriter(
                    prefix,
                    run.Model.Vocabulary,
                    run.ComparesAnswers ? PackKind.Comparisons : PackKind.Samples,
                    run.Model.Context
                );
        if (run.Objective == ObjectiveKind.Pretrain)
            WriteText(writer, run.Model.Vocabulary);
        else
            WritePacks(writer, run);
        writer.Complete();
        return prefix;
    }

    /// <summary>Writes a model with drawn weights for a run that compares with the one that it starts from; returns its folder.</summary>
    public static string WriteStart(string folder, RunConfiguration run)
    {
        var drawn = run with { Objective = ObjectiveKind.Pretrain, Parallel = new ParallelSection() };
        using var world = InProcessWorld.Create(1)[0];
        using var runtime = RankRuntime.Create(drawn, world, new SyntheticSource(drawn, drawn.Model.Vocabulary), runTokens: 1);
        using var store = new CheckpointStore(Path.Combine(folder, "checkpoints"), world);
        return store
            .Save(
                new CheckpointState
                {
                    Step = 0,
                    ConsumedTokens = 0,
                    ConfigurationYaml = "",
                    ConfigurationHash = "",
                    Slices = runtime.StateToSave(),
                }
            )
            .Path;
    }

    private static void WriteText(ShardWriter writer, int vocabulary)
    {
        for (int document = 0; document < Documents; document++)
        {
            // A step through the vocabulary that differs from document to document.
            int stride = 1 + document % 5;
            writer.Add([.. Enumerable.Range(0, DocumentTokens).Select(i => (document * 7 + i * stride) % vocabulary)]);
        }
    }

    /// <summary>Answers of uneven length, compared by two: the better one counts by ones, the worse one by twos.</summary>
    private static void WritePacks(ShardWriter writer, RunConfiguration run)
    {
        for (int pack = 0; pack < Packs; pack++)
        {
            int used = 0;
            for (int answer = 0; answer < AnswersOfPack; answer++)
            {
                int length = run.Model.Context / AnswersOfPack - ((pack + answer) % 3);
                int[] tokens = [.. Enumerable.Range(0, length).Select(i => (pack * 7 + i * (1 + answer % 2)) % run.Model.Vocabulary)];
                var marks = tokens.Select((_, i) => i > 1 ? TokenMarks.Learned : TokenMarks.None).ToArray();
                if (run.ComparesAnswers)
                    marks[^1] = answer % 2 == 1 ? TokenMarks.Score | TokenMarks.Last : TokenMarks.Score;
                writer.Append(tokens, marks);
                writer.EndDocument();
                used += length;
            }
            writer.Append(new int[run.Model.Context - used], new TokenMarks[run.Model.Context - used]);
            writer.EndDocument();
        }
    }
}
