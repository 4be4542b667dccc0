using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Training.Runs;

namespace Uniscale.Training.Curricula;

/// <summary>
/// Reads again what a run says it was fed: each step's tokens against the digest in its metrics, what each phase took of each source
/// against mixture and ledger,
/// and every sequence against all others, so that what was fed twice is found by looking and not by the plan that is in question.
/// </summary>
public sealed class RunAudit : IDisposable
{
    private readonly Curriculum _curriculum;
    private readonly Coverage _coverage = new();
    private readonly long[,] _fed;
    private long _end;

    /// <param name="run">Directory of a run; its configuration and its data are read.</param>
    public RunAudit(string run)
    {
        string path = Path.Combine(run, RunFolder.ConfigurationFile);
        if (!File.Exists(path))
            throw new UserErrorException($"{path} does not exist; give the directory of a run that has trained.");
        _curriculum = Curriculum.FromConfiguration(ConfigurationLoader.LoadStored(path).Value);
        _fed = new long[_curriculum.Phases.Count, _curriculum.Sources.Count];
    }

    /// <summary>Steps read so far.</summary>
    public long StepCount { get; private set; }

    /// <summary>Reads the tokens of a run's steps again.</summary>
    /// <param name="run">Its directory, for messages.</param>
    /// <param name="steps">Its steps.</param>
    /// <exception cref="UserErrorException">A step was not fed what the configuration and the data say.</exception>
    public void Add(string run, IEnumerable<FedStep> steps)
    {
        foreach (var fed in steps)
        {
            var plan =
                fed.StartTokens < _curriculum.TotalTokens
                    ? _curriculum.StepAt(fed.StartTokens)
                    : throw Differs(run, fed, "lies beyond the curriculum");
            if (plan.Tokens != fed.Tokens)
                throw Differs(run, fed, $"had a batch of {fed.Tokens} tokens, where the curriculum has {plan.Tokens}");
            if (Digest(plan) != fed.Digest)
                throw Differs(run, fed, "was fed other tokens than the data holds there now");
            _end = Math.Max(_end, fed.StartTokens + fed.Tokens);
            StepCount++;
        }
    }

    /// <summary>Reads every byte of the sources' shards against the digests that lie beside them.</summary>
    /// <returns>How many shards have such digests.</returns>
    /// <exception cref="UserErrorException">A shard is not what was tokenized.</exception>
    public int CheckShards()
    {
        int recorded = 0;
        foreach (var shard in _curriculum.Sources.SelectMany(source => source.Shards).Where(shard => shard.IsRecorded))
        {
            shard.CheckRecorded(whole: true);
            recorded++;
        }
        return recorded;
    }

    /// <summary>Tells what was fed.</summary>
    /// <exception cref="UserErrorException">A token was fed more often than its source was begun, or the ledger is not what was
    /// fed.</exception>
    public void Print(TextWriter output)
    {
        double worst = 0,
            sequences = 0;
        int name = Math.Max(6, _curriculum.Sources.Max(source => source.Name.Length));
        output.WriteLine($"{"phase",-16} {"source".PadRight(name)} {"tokens fed",14} {"share",9} {"mixture",9} {"off",9}");
        foreach (var phase in _curriculum.Phases)
        {
            long total = Enumerable.Range(0, _curriculum.Sources.Count).Sum(i => _fed[phase.Number, i]);
            for (int i = 0; i < _curriculum.Sources.Count && total > 0; i++)
            {
                double share = _fed[phase.Number, i] / (double)total,
                    weight = phase.Interleaving.Weights[i];
                worst = Math.Max(worst, Math.Abs(share - weight));
                sequences = Math.Max(sequences, Math.Abs(_fed[phase.Number, i] - weight * total) / phase.Settings.Context);
                output.WriteLine(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{phase.Settings.Name,-16} {_curriculum.Sources[i].Name.PadRight(name)} {_fed[phase.Number, i],14:N0} {share,9:0.000%} {weight,9:0.000%} {share - weight,9:+0.000%;-0.000%;0}"
                    )
                );
            }
        }
        output.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"The shares fed are off the mixture by at most {100 * worst:0.000} points, {sequences:0.0} of a sequence."
            )
        );
        PrintRepeats(output);
    }

    /// <inheritdoc/>
    public void Dispose() => _curriculum.Dispose();

    private void PrintRepeats(TextWriter output)
    {
        long all = Enumerable.Range(0, _curriculum.Sources.Count).Sum(SumOf);
        bool isWhole = all == _end;
        var ledger = _curriculum.LedgerAt(_end);
        foreach (var total in ledger.Sources)
        {
            var source = _curriculum.Sources[total.Source];
            (long tokens, int times) = _coverage.Of(source.Name);
            if (times > total.MaxRepeats)
                throw new UserErrorException(
                    $"A token of source '{source.Name}' was fed {times} times, although the source was begun {total.MaxRepeats} time(s) only."
                );
            if (isWhole && SumOf(total.Source) != total.FedTokens)
                throw new UserErrorException(
                    $"The ledger has {total.FedTokens} tokens of source '{source.Name}', but {SumOf(total.Source)} were fed."
                );
            output.WriteLine(
                $"{source.Name}: {SumOf(total.Source):N0} tokens fed at {tokens:N0} places of {source.TokenCount:N0}; none more than {times} time(s)."
            );
        }
        output.WriteLine(
            isWhole
                ? $"The ledger at {_end:N0} tokens has the same counts."
                : $"The metrics tell of {all:N0} of the {_end:N0} tokens until there; what was fed before is not compared (--continues RUN adds it)."
        );
    }

    private long SumOf(int source) => Enumerable.Range(0, _curriculum.Phases.Count).Sum(phase => _fed[phase, source]);

    private ulong Digest(StepPlan plan)
    {
        ulong digest = 0;
        int[] tokens = new int[plan.Context + 1];
        for (long index = plan.FirstSample; index < plan.FirstSample + plan.Sequences; index++)
        {
            _curriculum.Read(plan, index, tokens, []);
            digest = unchecked(digest + SampleDigest.Of(index, tokens));
            var sample = _curriculum.Locate(index);
            _coverage.Add(_curriculum, sample);
            _fed[plan.Phase, sample.Source] += plan.Context;
        }
        return digest;
    }

    private static UserErrorException Differs(string run, FedStep step, string what) =>
        new(
            $"Step {step.Step} of {run} {what}: the data or the configuration was changed since, or the run is no continuation of the other."
        );
}
