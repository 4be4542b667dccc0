using Uniscale.Configuration;

namespace Uniscale.Data;

/// <summary>Lays the phases of a configuration one after the other and carries each source's cursor from phase to phase.</summary>
internal sealed class PhaseBuilder
{
    private readonly RunConfiguration _config;
    private readonly IReadOnlyList<TokenSource> _sources;
    private readonly IReadOnlyList<PhaseSection> _sections;
    private readonly WindowOrder[] _orders;
    private readonly ulong[] _keys;
    private readonly SourceCursor[] _cursors;

    public PhaseBuilder(RunConfiguration config, IReadOnlyList<TokenSource> sources)
    {
        _config = config;
        _sources = sources;
        _sections = config.Phases.Count > 0 ? config.Phases : [new PhaseSection { Name = "train", Tokens = config.Train.Tokens }];
        Window = config.Data.Window > 0 ? config.Data.Window : _sections.Max(ContextOf);
        _keys = [.. sources.Select(source => Mixing.Key((ulong)config.Train.Seed, Mixing.OfName(source.Name)))];
        _orders = [.. sources.Select((source, i) => new WindowOrder(source.StreamTokens, Window, _keys[i]))];
        _cursors = new SourceCursor[sources.Count];
    }

    /// <summary>Tokens in a window, the unit that sources are shuffled in.</summary>
    public int Window { get; }

    public IReadOnlyList<WindowOrder> Orders => _orders;

    /// <summary>All phases.</summary>
    /// <exception cref="UserErrorException">A phase has no tokens, an impossible mixture, or draws from a source that cannot fill a
    /// sequence.</exception>
    public IReadOnlyList<Phase> Build()
    {
        var phases = new List<Phase>();
        long sample = 0,
            tokens = 0;
        foreach (var section in _sections)
        {
            var phase = Build(section, phases.Count, sample, tokens);
            phases.Add(phase);
            sample += phase.SampleCount;
            tokens += phase.Tokens;
        }
        RefuseTooManyEpochs();
        return phases;
    }

    private Phase Build(PhaseSection section, int number, long firstSample, long startTokens)
    {
        var settings = SettingsOf(section, number);
        var steps = StepsOf(section, settings, startTokens);
        var interleaving = new Interleaving(Mixture.Resolve(_sources, _config.Data.Sources, section.Mixture, settings.Name));
        long[] counts = interleaving.CountsOf(steps.SampleCount);
        var runs = new SourceRun?[_sources.Count];
        for (int i = 0; i < runs.Length; i++)
        {
            if (interleaving.Weights[i] == 0)
                continue;
            if (_orders[i].EpochTokens < settings.Context)
            {
                throw new UserErrorException(
                    $"The data source '{_sources[i].Name}' has a weight in phase '{settings.Name}' but only {_sources[i].TokenCount} tokens, "
                        + $"fewer than one sequence of {settings.Context} + 1; give it data or the weight 0."
                );
            }
            CheckPacks(_sources[i], settings);
            runs[i] = new SourceRun(_orders[i], _keys[i], _cursors[i], settings.Context, counts[i]);
            _cursors[i] = runs[i]!.End;
        }
        return new Phase(settings, number, firstSample, startTokens, steps, interleaving, runs);
    }

    /// <summary>A sequence of a source of packs is a pack, or samples would be cut and mixed.</summary>
    private void CheckPacks(TokenSource source, PhaseSettings settings)
    {
        if (source.Packs is not var (_, tokens))
            return;
        if (tokens != settings.Context)
        {
            throw new UserErrorException(
                $"The packs of data source '{source.Name}' have {tokens} tokens, but phase '{settings.Name}' has sequences of {settings.Context}: set model.context to {tokens}, "
                    + $"or pack again with `uniscale data chat --context {settings.Context}`."
            );
        }
        if (Window % tokens != 0)
            throw new UserErrorException(
                $"data.window is {Window}, which packs of {tokens} tokens (data source '{source.Name}') do not fill: set it to a multiple of {tokens}."
            );
        if (!_config.Model.DocumentMask)
            throw new UserErrorException(
                $"The data source '{source.Name}' has packs of samples that must not see each other: set model.document_mask to true."
            );
    }

    private PhaseSettings SettingsOf(PhaseSection section, int number) =>
        new()
        {
            Name = section.Name.Length > 0 ? section.Name : $"phase {number + 1}",
            Context = ContextOf(section),
            Lr = section.Lr ?? _config.Optimizer.Lr,
            FinalRatio = section.FinalRatio ?? _config.Schedule.FinalRatio,
            WarmupRatio = section.WarmupRatio ?? _config.Schedule.WarmupRatio,
            WeightDecay = section.WeightDecay ?? _config.Optimizer.WeightDecay,
            RopeBase = section.RopeBase ?? _config.Model.RopeBase,
            Evaluate = section.Evaluate,
        };

    private PhaseSteps StepsOf(PhaseSection section, PhaseSettings settings, long startTokens)
    {
        // A phase's own ramp counts from the phase's start, the run's from the run's.
        var changes = PhaseSteps.ChangesFrom(section.Batch ?? _config.Batch, settings.Context, section.Batch is null ? startTokens : 0);
        if (section.Tokens > 0)
            return PhaseSteps.OverTokens(changes, settings.Context, section.Tokens);
        if (_config.Phases.Count == 0 && _config.Train.Steps > 0)
            return PhaseSteps.OverSteps(changes, settings.Context, _config.Train.Steps);
        throw new UserErrorException(
            _config.Phases.Count > 0
                ? $"Phase '{settings.Name}' has no tokens; set `tokens`."
                : "The run has no length; set train.steps or train.tokens."
        );
    }

    private int ContextOf(PhaseSection section) => section.Context ?? _config.Model.Context;

    private void RefuseTooManyEpochs()
    {
        if (_config.Data.MaxEpochs <= 0)
            return;
        for (int i = 0; i < _cursors.Length; i++)
        {
            double epochs = _cursors[i].Epoch + _cursors[i].Offset / (double)Math.Max(1, _orders[i].EpochTokens);
            if (epochs > _config.Data.MaxEpochs)
            {
                throw new UserErrorException(
                    $"The data source '{_sources[i].Name}' would be seen {epochs:0.##} times, more than data.max_epochs = {_config.Data.MaxEpochs}; "
                        + "lower its weight, shorten the run or add data."
                );
            }
        }
    }
}
