using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Optimizer;

namespace Uniscale.Cli.Curricula;

/// <summary>One position of a curriculum: the step, what it reads, and the ledger until then.</summary>
/// <param name="config">The run.</param>
/// <param name="curriculum">Its curriculum.</param>
/// <param name="tokenizer">Prints the beginnings of sequences; null: none.</param>
/// <param name="discarded">What the run has fed without its being in the weights.</param>
/// <param name="output">Where the text goes.</param>
internal sealed class PositionView(
    RunConfiguration config,
    Curriculum curriculum,
    Tokenizer? tokenizer,
    IReadOnlyList<DiscardedSpan> discarded,
    TextWriter output
)
{
    private const int PreviewTokens = 48;

    public void Print(long position, int sampleCount)
    {
        var step = curriculum.StepAround(position);
        var phase = curriculum.Phases[step.Phase];
        output.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"step {curriculum.StepsUntil(step.ConsumedTokens):N0} of {curriculum.TotalSteps:N0}, after {step.ConsumedTokens:N0} tokens: phase {step.Phase + 1} ({phase.Settings.Name}), "
                    + $"{(step.ConsumedTokens - step.PhaseStartTokens) / (double)step.PhaseTokens:0.0%} of it done"
            )
        );
        output.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"  {step.Sequences} sequences of {step.Context} tokens, samples {step.FirstSample:N0} to {step.FirstSample + step.Sequences - 1:N0}; "
                    + $"learning rate {LearningRate.At(config, step, curriculum.TotalTokens):0.###e-0}, weight decay {phase.Settings.WeightDecay}, RoPE base {phase.Settings.RopeBase}"
            )
        );
        SampleLocation[] samples = [.. Enumerable.Range(0, step.Sequences).Select(i => curriculum.Locate(step.FirstSample + i))];
        output.WriteLine(
            $"  of {string.Join(", ", samples.GroupBy(sample => sample.Source).OrderBy(group => group.Key).Select(group => $"{curriculum.Sources[group.Key].Name} {group.Count()}"))}"
        );
        foreach ((var sample, int i) in samples.Take(sampleCount).Select((sample, i) => (sample, i)))
            PrintSample(step, step.FirstSample + i, sample);
        output.WriteLine();
        PrintLedger(curriculum.LedgerAt(step.ConsumedTokens, discarded));
    }

    private void PrintSample(StepPlan step, long index, SampleLocation sample)
    {
        var source = curriculum.Sources[sample.Source];
        string places = string.Join(" and ", curriculum.PiecesOf(sample).Select(piece => PlaceOf(source, piece)));
        output.WriteLine($"  sample {index}: {source.Name}, epoch {sample.Epoch + 1}, {places}");
        if (tokenizer is null)
            return;
        int[] tokens = new int[step.Context + 1];
        curriculum.Read(step, index, tokens, []);
        output.WriteLine($"      {tokenizer.Decode(tokens.AsSpan(0, Math.Min(PreviewTokens, step.Context))).ReplaceLineEndings("⏎")}…");
    }

    private static string PlaceOf(TokenSource source, TokenPiece piece)
    {
        if (source.IsVirtual)
            return $"tokens {piece.Position} to {piece.Position + piece.Count - 1}";
        (var shard, long first) = source.Locate(piece.Position);
        (var lastShard, long last) = source.Locate(piece.Position + piece.Count - 1);
        string until = lastShard == shard ? $"{last}" : $"{last} of {lastShard.Prefix}";
        long document = shard.DocumentAt(first);
        long lastDocument = lastShard == shard ? shard.DocumentAt(last) : document;
        return $"{shard.Prefix} tokens {first} to {until}, document{(lastDocument > document ? $"s {document} to {lastDocument}" : $" {document}")}";
    }

    private void PrintLedger(Ledger ledger)
    {
        output.WriteLine(
            $"fed until then{"",6}{"tokens",22}{"epochs",10}{"passed over",14}{(discarded.Count > 0 ? "not in weights".PadLeft(18) : "")}   stands at"
        );
        foreach (var total in ledger.Sources)
        {
            output.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"  {curriculum.Sources[total.Source].Name,-18}{total.FedTokens,22:N0}{total.Epochs,10:0.000}{total.SkippedTokens,14:N0}{(discarded.Count > 0 ? total.DiscardedTokens.ToString("N0", CultureInfo.InvariantCulture).PadLeft(18) : "")}   epoch {total.Cursor.Epoch + 1}, token {total.Cursor.Offset:N0}"
                )
            );
        }
        foreach (var span in discarded.Where(span => span.FromTokens < ledger.ConsumedTokens))
        {
            string steps = span.ToStep == span.FromStep + 1 ? $"step {span.ToStep}" : $"steps {span.FromStep + 1} to {span.ToStep}";
            output.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"  {steps} ({span.Reason}): {span.Tokens:N0} tokens from {span.FromTokens:N0} on are not in the weights"
                )
            );
        }
    }
}
