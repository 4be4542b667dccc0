using Uniscale.Configuration;
using Uniscale.Data;

namespace Uniscale.Training.Feeding;

/// <summary>Training data as a configuration names it.</summary>
/// <param name="Source">Sequences by position.</param>
/// <param name="Tokens">Tokens of the whole run.</param>
/// <param name="Vocabulary">Entries of the vocabulary.</param>
public sealed record TrainingData(ISequenceSource Source, long Tokens, int Vocabulary) : IDisposable
{
    /// <summary>Opens the sources of a configuration.</summary>
    /// <exception cref="UserErrorException">Something is missing, damaged, or does not fit together.</exception>
    public static TrainingData Open(RunConfiguration configuration)
    {
        if (configuration.Objective.DrawsAnswers())
            throw new UserErrorException(
                $"objective is {configuration.Objective.ToString().ToLowerInvariant()}, whose answers are drawn as the run goes, so there is no order of data to read: `uniscale align` trains it."
            );
        int vocabulary = VocabularyOfShards(configuration);
        var curriculum = Curriculum.FromConfiguration(configuration, vocabulary);
        try
        {
            ObjectiveData.Check(configuration.Objective, curriculum.Sources);
        }
        catch
        {
            curriculum.Dispose();
            throw;
        }
        return new TrainingData(curriculum, curriculum.TotalTokens, vocabulary);
    }

    /// <summary>As <see cref="Open"/>, or drawn tokens where the configuration names no sources (checks of layouts need none).</summary>
    public static TrainingData OpenOrDraw(RunConfiguration configuration)
    {
        if (configuration.Data.Sources.Count > 0)
            return Open(configuration);
        int vocabulary = VocabularyOf(configuration);
        var source = SyntheticRollouts.Of(configuration, vocabulary);
        return new TrainingData(source, source.StepAt(0).PhaseTokens, vocabulary);
    }

    /// <inheritdoc/>
    public void Dispose() => (Source as IDisposable)?.Dispose();

    /// <summary>Entries of the vocabulary: the configuration's, or the tokenizer's.</summary>
    /// <exception cref="UserErrorException">Neither is given, or the configuration's is too small for the tokenizer.</exception>
    public static int VocabularyOf(RunConfiguration configuration) => VocabularyOf(configuration, _ => { });

    /// <summary>As <see cref="VocabularyOf(RunConfiguration)"/>, and holds the shards of the data against the tokenizer.</summary>
    /// <exception cref="UserErrorException">Another tokenizer made a shard, or as there.</exception>
    public static int VocabularyOfShards(RunConfiguration configuration) =>
        VocabularyOf(configuration, tokenizer => TokenizerOrigin.Check(configuration, tokenizer));

    private static int VocabularyOf(RunConfiguration configuration, Action<Tokenizer> check)
    {
        int asked = configuration.Model.Vocabulary;
        if (configuration.Data.Tokenizer is not { } path)
        {
            return asked > 0
                ? asked
                : throw new UserErrorException("The size of the vocabulary is not known: set model.vocabulary or data.tokenizer.");
        }
        using var tokenizer = Tokenizer.Load(path);
        if (asked != 0 && asked < tokenizer.Size)
            throw new UserErrorException(
                $"model.vocabulary is {asked}, but the tokenizer {path} has {tokenizer.Size} entries: set it to {tokenizer.Size} or more, or to 0."
            );
        check(tokenizer);
        return Math.Max(asked, tokenizer.Size);
    }
}
