using System.Diagnostics.Metrics;
using Uniscale.Telemetry.Accounting;

namespace Uniscale.Telemetry.Export;

/// <summary>
/// A run as instruments of <see cref="System.Diagnostics.Metrics"/>, for whatever listens: names, units and labels are in
/// docs/how-to/monitoring.md. Gauges bear no
/// phase: a series of a phase that is over would be exported for ever. Counters do.
/// </summary>
internal sealed class RunMeters : INewsReader
{
    /// <summary>Name of the meter.</summary>
    public const string MeterName = "Uniscale";

    private static readonly InstrumentAdvice<double> StepSeconds = new()
    {
        HistogramBucketBoundaries = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250],
    };
    private static readonly InstrumentAdvice<double> SaveSeconds = new()
    {
        HistogramBucketBoundaries = [0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600, 1200],
    };

    private readonly Meter _meter;
    private readonly Gauge<double> _loss,
        _rate,
        _norm,
        _mfu,
        _effective,
        _validation,
        _phase,
        _lastSave,
        _peak,
        _domainLoss,
        _fed,
        _planned,
        _reward,
        _divergence,
        _score;
    private readonly Gauge<double> _throughput,
        _flops;
    private readonly Gauge<long> _step,
        _memory;
    private readonly Counter<long> _tokens,
        _steps,
        _saves,
        _restarts,
        _spikes,
        _nonfinite,
        _rollbacks;
    private readonly Counter<double> _lost;
    private readonly Histogram<double> _stepSeconds,
        _saveSeconds;
    private readonly Dictionary<(string Of, string Name), double> _told = [];
    private readonly KeyValuePair<string, object?> _rank;
    private string? _current;
    private long _rollbackCount;

    /// <param name="rank">The rank that tells.</param>
    public RunMeters(int rank)
    {
        _rank = new("rank", rank);
        _meter = new Meter(MeterName);
        _loss = Gauge("uniscale.loss", null, "Mean loss of a token of the last step, in nats.");
        _rate = Gauge("uniscale.learning_rate", null, "Learning rate of the last step.");
        _norm = Gauge("uniscale.grad_norm", null, "Global norm of the gradients of the last step, before clipping.");
        _mfu = Gauge("uniscale.mfu.ratio", "1", "Model operations a second over the peak.");
        _effective = Gauge("uniscale.effective_time.ratio", "1", "Share of the run's time that went into steps that count.");
        _validation = Gauge("uniscale.validation.loss", null, "Mean loss of a token of a validation source, in nats.");
        _domainLoss = Gauge("uniscale.domain.loss", null, "Mean loss of a token of the last step by domain, in nats.");
        _fed = Gauge("uniscale.mixture.fed.ratio", "1", "Share of the phase's tokens until now that a source fed.");
        _planned = Gauge("uniscale.mixture.planned.ratio", "1", "Share of the phase's tokens that the mixture gives a source.");
        _reward = Gauge("uniscale.reward", null, "Mean reward of the answers that the last step learned from.");
        _divergence = Gauge("uniscale.kl", null, "Mean divergence of these answers from the reference, in nats an answer.");
        _score = Gauge("uniscale.evaluation.score", null, "The score that counts of a task that the model was asked.");
        _phase = Gauge("uniscale.phase", null, "1 for the phase that is trained, 0 for those before.");
        _lastSave = Gauge("uniscale.last_save.timestamp", "s", "When the newest checkpoint became durable.");
        _peak = Gauge("uniscale.peak.flops", "{flop}/s", "Peak that MFU is counted against.");
        _throughput = Gauge("uniscale.throughput.tokens", "{token}/s", "Tokens a second of the last step, over all ranks.");
        _flops = Gauge("uniscale.compute.flops", "{flop}/s", "Model operations a second of the last step, over all ranks.");
        _step = _meter.CreateGauge<long>("uniscale.step", "{step}", "Steps done.");
        _memory = _meter.CreateGauge<long>(
            "uniscale.memory",
            "By",
            "Memory in use, by part: process (and of it parameters, gradients, optimizer, cached, managed, other), process_peak, device."
        );
        _tokens = Counter("uniscale.tokens", "{token}", "Tokens fed by this process.");
        _steps = Counter("uniscale.steps", "{step}", "Steps done by this process.");
        _saves = Counter("uniscale.saves", "{save}", "Checkpoints that became durable, or failed, by result.");
        _restarts = Counter("uniscale.restarts", "{restart}", "Times that the run was continued.");
        _spikes = Counter("uniscale.spikes", "{step}", "Bad steps, by kind.");
        _nonfinite = Counter("uniscale.nonfinite.steps", "{step}", "Steps with a loss or norm that is no number or infinite.");
        _rollbacks = Counter("uniscale.rollbacks", "{rollback}", "Times that the run went back to a checkpoint.");
        _lost = _meter.CreateCounter<double>("uniscale.lost_time", "s", "Time that went into no step that counts, by use.");
        _stepSeconds = _meter.CreateHistogram("uniscale.step.duration", "s", "Time of a step.", null, StepSeconds);
        _saveSeconds = _meter.CreateHistogram(
            "uniscale.save.duration",
            "s",
            "Time from a checkpoint's beginning to its being durable.",
            null,
            SaveSeconds
        );
    }

    /// <summary>The meter of this run's instruments.</summary>
    public Meter Meter => _meter;

    /// <inheritdoc/>
    public void Take(object news)
    {
        switch (news)
        {
            case RunStart start:
                Begin(start);
                break;
            case StepReport step:
                Step(step);
                break;
            case ValidationReport validation:
                _validation.Record(validation.Loss, _rank, new("source", validation.Name), new("domain", validation.Domain));
                break;
            case EvaluationReport { IsPart: false } evaluation:
                _score.Record(evaluation.Main.Score, _rank, new("task", evaluation.Task), new("metric", evaluation.Metric));
                break;
            case Note { Kind: "checkpoint-durable" } note:
                Saved(note);
                break;
            case Note { Kind: "checkpoint-failed" }:
                _saves.Add(1, _rank, new("result", "failed"));
                break;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();

    private Gauge<double> Gauge(string name, string? unit, string meaning) => _meter.CreateGauge<double>(name, unit, meaning);

    private Counter<long> Counter(string name, string unit, string meaning) => _meter.CreateCounter<long>(name, unit, meaning);

    private void Begin(RunStart start)
    {
        // So that they are there before anything happens, and a rate has a beginning.
        foreach (var counter in (Counter<long>[])[_restarts, _nonfinite, _rollbacks])
            counter.Add(0, _rank);
        if (Math.Max(start.Restarts, start.ResumedStep > 0 ? 1 : 0) is > 0 and var restarts)
            _restarts.Add(restarts, _rank);
        _step.Record(start.ResumedStep, _rank);
        if (start.PeakFlops is { } peak)
            _peak.Record(peak, _rank);
        if (start.Account is { } account)
            Lost(account);
    }

    private void Step(StepReport step)
    {
        EnterPhase(step.Phase);
        var phase = new KeyValuePair<string, object?>("phase", step.Phase ?? "");
        _step.Record(step.Step, _rank);
        _loss.Record(step.Loss, _rank);
        _norm.Record(step.GradientNorm, _rank);
        _rate.Record(step.LearningRate, _rank);
        _throughput.Record(step.TokensPerSecond, _rank);
        _flops.Record(step.ModelFlops, _rank);
        if (step.Mfu is { } mfu)
            _mfu.Record(mfu, _rank);
        Memory("process", step.MemoryBytes);
        Memory("process_peak", step.PeakMemoryBytes);
        if (step.DeviceMemoryBytes is { } device)
            Memory("device", device);
        foreach (var (part, bytes) in Entries(step.MemoryParts))
            Memory(part, bytes);
        Tell(_domainLoss, "domain", step.DomainLosses);
        Tell(_fed, "source", step.MixtureFed);
        Tell(_planned, "source", step.MixturePlanned);
        if (step.Measures is { } measures)
        {
            Tell(_reward, measures, "objective/scores");
            Tell(_divergence, measures, "objective/kl");
        }
        _tokens.Add(step.BatchTokens, _rank, phase);
        _steps.Add(1, _rank, phase);
        if (!double.IsFinite(step.Loss) || !double.IsFinite(step.GradientNorm))
            _nonfinite.Add(1, _rank);
        // One NaN would stay in a histogram's sum.
        if (double.IsFinite(step.Seconds))
            _stepSeconds.Record(step.Seconds, _rank);
        if (step.BadSteps is { } bad)
            Bad(bad);
        if (step.Rollbacks > _rollbackCount)
            _rollbacks.Add(step.Rollbacks - _rollbackCount, _rank);
        _rollbackCount = step.Rollbacks;
        if (step.Account is { } account)
            Lost(account);
    }

    private void Tell(Gauge<double> gauge, IReadOnlyDictionary<string, double> measures, string name)
    {
        if (measures.TryGetValue(name, out double value))
            gauge.Record(value, _rank);
    }

    private void Tell(Gauge<double> gauge, string label, IReadOnlyDictionary<string, double>? values)
    {
        if (values is null)
            return;
        foreach (var (name, value) in Entries(values))
            gauge.Record(value, _rank, new(label, name));
    }

    /// <summary>The entries, of whose dictionary no enumerator is allocated where it is the trainer's.</summary>
    private static Dictionary<string, T> Entries<T>(IReadOnlyDictionary<string, T> values) =>
        values as Dictionary<string, T> ?? new(values);

    private void Memory(string part, long bytes) => _memory.Record(bytes, _rank, new("part", part));

    private void EnterPhase(string? phase)
    {
        if (phase == _current || phase is null)
            return;
        if (_current is not null)
            _phase.Record(0, _rank, new("phase", _current));
        _phase.Record(1, _rank, new("phase", phase));
        _current = phase;
    }

    private void Saved(Note note)
    {
        _saves.Add(1, _rank, new("result", "durable"));
        _lastSave.Record(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0, _rank);
        if (note.Seconds is { } seconds)
            _saveSeconds.Record(seconds, _rank);
    }

    /// <summary>Counts come as totals of the whole run: what is new is added.</summary>
    private void Bad(IReadOnlyDictionary<string, long> bad)
    {
        foreach (var (kind, count) in bad)
            if (New(("bad", kind), count) is > 0 and var more)
                _spikes.Add((long)more, _rank, new("kind", kind));
    }

    private void Lost(TimeAccount account)
    {
        ReadOnlySpan<(string Use, double Seconds)> uses =
        [
            ("discarded", account.Discarded),
            ("redone", account.Redone),
            ("saving", account.Saving),
            ("validation", account.Validation),
            ("starting", account.Starting),
            ("restarting", account.Restarting),
            ("other", account.Other),
        ];
        foreach (var (use, seconds) in uses)
            if (New(("lost", use), seconds) is > 0 and var more)
                _lost.Add(more, _rank, new("use", use));
        _effective.Record(account.EffectiveShare, _rank);
    }

    private double New((string Of, string Name) count, double total)
    {
        double more = total - _told.GetValueOrDefault(count);
        if (more > 0)
            _told[count] = total;
        return more;
    }
}
