using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Validation;

/// <summary>Validates a run on each of its held-out sources. Collective: all ranks make one and call it alike.</summary>
public sealed class Validator : IDisposable
{
    private readonly List<(TokenSource Source, ValidationSet Set, long Bytes)> _sets = [];

    /// <param name="configuration">The run: its validation sources, context and sequence count.</param>
    /// <param name="byteLengths">Bytes of text of each token; empty: bits per byte are not known.</param>
    public Validator(RunConfiguration configuration, int[] byteLengths)
    {
        int vocabulary = configuration.Data.Validation.Count > 0 ? TrainingData.VocabularyOf(configuration) : 0;
        foreach (var section in configuration.Data.Validation)
        {
            var source = TokenSource.Open(section, vocabulary);
            ObjectiveData.Check(configuration.Objective, source);
            var set = new ValidationSet(source, configuration.Model.Context, configuration.Evaluation.Sequences);
            _sets.Add((source, set, byteLengths.Length == 0 || configuration.ComparesAnswers ? 0 : set.TargetBytes(byteLengths)));
        }
    }

    /// <summary>True where there is nothing to validate on.</summary>
    public bool IsEmpty => _sets.Count == 0;

    /// <summary>
    /// One result a source, in the configuration's order; all where <paramref name="names"/> is empty. Null where the run is stopped in the
    /// middle.
    /// </summary>
    public IReadOnlyList<ValidationResult>? Run(RankRuntime runtime, IReadOnlyCollection<string> names)
    {
        var results = new List<ValidationResult>();
        foreach (var (source, set, bytes) in _sets)
        {
            if (names.Count > 0 && !names.Contains(source.Name))
                continue;
            if (runtime.Evaluate(set, set.SequenceCount) is not { } found)
                return null;
            results.Add(new ValidationResult(set.Name, set.Domain, found.Count, bytes, found.LossSum) { Measures = found.Measures });
        }
        return results;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (source, _, _) in _sets)
            source.Dispose();
        _sets.Clear();
    }
}
