using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Dashboard.Reading;
using Uniscale.Data;
using Uniscale.Engine.Optimizer;

namespace Uniscale.Cli.Curricula;

/// <summary>One position of a curriculum: the step, what it reads, and the ledger until then.</summary>
/// <param name="config">The run.</param>
/// <param name="curriculum">Its curriculum.</param>
/// <param name="tokenizer">Gives the beginnings of sequences as text; null: none.</param>
/// <param name="discarded">What the run has fed without its being in the weights.</param>
internal sealed class PositionView(
    RunConfiguration config,
    Curriculum curriculum,
    Tokenizer? tokenizer,
    IReadOnlyList<DiscardedSpan> discarded
)
{
    private const int PreviewTokens = 48;

    /// <summary>Prints the step at a position, its first sequences, and what was fed before.</summary>
    public void Print(long position, int sampleCount, TextWriter output)
    {
        var step = curriculum.StepAround(position);
        foreach (var (i, line) in Head(step).Index())
            output.WriteLine(i == 0 ? line : $"  {line}");
        foreach (var sample in Samples(step, sampleCount, PreviewTokens))
        {
            output.WriteLine($"  sample {sample.Index}: {sample.Source}, epoch {sample.Epoch}, {sample.Place}");
            if (sample.Text is { } text)
                output.WriteLine($"      {text.ReplaceLineEndings("⏎")}");
        }
        output.WriteLine();
        PrintLedger(curriculum.LedgerAt(step.ConsumedTokens, discarded), output);
    }

    /// <summary>Which step it is, what it takes, and by what settings.</summary>
    public IEnumerable<string> Head(StepPlan step)
    {
        var phase = curriculum.Phases[step.Phase];
        yield return string.Create(
            CultureInfo.InvariantCulture,
            $"step {curriculum.StepsUntil(step.ConsumedTokens):N0} of {curriculum.TotalSteps:N0}, after {step.ConsumedTokens:N0} tokens: phase {step.Phase + 1} ({phase.Settings.Name}), "
                + $"{(step.ConsumedTokens - step.PhaseStartTokens) / (double)step.PhaseTokens:0.0%} of it done"
        );
        yield return string.Create(
            CultureInfo.InvariantCulture,
            $"{step.Sequences} sequences of {step.Context} tokens, samples {step.FirstSample:N0} to {step.FirstSample + step.Sequences - 1:N0}; "
                + $"learning rate {LearningRate.At(config, step, curriculum.TotalTokens):0.###e-0}, weight decay {phase.Settings.WeightDecay}, RoPE base {phase.Settings.RopeBase}"
        );
        var samples = Enumerable.Range(0, step.Sequences).Select(i => curriculum.Locate(step.FirstSample + i));
        yield return $"of {string.Join(", ", samples.GroupBy(sample => sample.Source).OrderBy(group => group.Key).Select(group => $"{curriculum.Sources[group.Key].Name} {group.Count()}"))}";
    }

    /// <summary>The first sequences of a step, each with so many tokens of its text.</summary>
    public IEnumerable<FedSample> Samples(StepPlan step, int count, int previewTokens)
    {
        for (long index = step.FirstSample; index < step.FirstSample + Math.Min(count, step.Sequences); index++)
        {
            var sample = curriculum.Locate(index);
            var source = curriculum.Sources[sample.Source];
            string places = string.Join(" and ", curriculum.PiecesOf(sample).Select(piece => PlaceOf(source, piece)));
            yield return new FedSample(index, source.Name, sample.Epoch + 1, places, TextOf(step, index, previewTokens));
        }
    }

    private string? TextOf(StepPlan step, long index, int previewTokens)
    {
        if (tokenizer is null)
            return null;
        int[] tokens = new int[step.Context + 1];
        curriculum.Read(step, index, tokens, []);
        int shown = Math.Min(previewTokens, step.Context);
        return tokenizer.Decode(tokens.AsSpan(0, shown)) + (shown < step.Context ? "…" : "");
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

    private void PrintLedger(Ledger ledger, TextWriter output)
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
