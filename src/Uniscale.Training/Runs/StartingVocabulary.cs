using Uniscale.Configuration;
using Uniscale.Data;

namespace Uniscale.Training.Runs;

/// <summary>Holds a run's tokenizer against that of the weights that it takes.</summary>
internal static class StartingVocabulary
{
    // Markers of a dialogue may have taken the places of entries that were kept free for them.
    private const double MostChanged = 0.1;

    /// <summary>
    /// Refuses weights that were trained on other text for the same tokens: sizes fit, and nothing but a loss that begins too high would
    /// tell. Weights whose tokenizer is not known are taken on trust.
    /// </summary>
    /// <param name="configuration">The run.</param>
    /// <param name="key">The key that names the weights.</param>
    /// <param name="checkpoint">Folder of their checkpoint.</param>
    /// <param name="saved">The configuration that they were saved with.</param>
    /// <exception cref="UserErrorException">More than a tenth of the entries that both have differ.</exception>
    public static void Check(RunConfiguration configuration, string key, string checkpoint, RunConfiguration saved)
    {
        if (
            configuration.Data.Tokenizer is not { } path
            || saved.Data.Tokenizer is not { } before
            || RunTokenizer.Find(checkpoint, before) is not { } file
        )
            return;
        using Tokenizer own = Tokenizer.Load(path),
            theirs = Tokenizer.Load(file);
        if (own.Fingerprint == theirs.Fingerprint)
            return;
        int shared = Math.Min(own.Size, theirs.Size),
            changed = Enumerable.Range(0, shared).Count(id => own.PieceOf(id).Text != theirs.PieceOf(id).Text);
        if (changed > MostChanged * shared)
            throw new UserErrorException(
                $"{key} names {checkpoint}, which was trained on the tokens of {file}; in data.tokenizer {path}, {changed} of {shared} of them stand for other text: tokenize the data with that tokenizer and name it, or take weights of this one."
            );
    }
}
