using System.Text;
using Uniscale.Configuration;

namespace Uniscale.Corpus.Cleaning;

/// <summary>A language model of good text for each language that a pipeline judges.</summary>
internal sealed class QualityModels
{
    private readonly Dictionary<string, NgramModel> _models = [];
    private readonly int _maxCharacters;

    /// <summary>Trains the models on the gold text, of which the language is found as in documents.</summary>
    /// <exception cref="UserErrorException">There is no gold text for a language that is judged.</exception>
    public QualityModels(QualitySection settings)
    {
        _maxCharacters = settings.MaxCharacters;
        string[] judged = [.. settings.MaxBits.Keys.Union(settings.Keep.Keys)];
        if (judged.Length == 0)
            throw new UserErrorException(
                $"The rule '{settings.ReportedName}' judges no language: set max_bits, for example to {{en: 3.5}}, or keep, for example to {{en: 0.9}}."
            );
        foreach (string language in judged)
            _models[language] = new NgramModel(settings.Order);
        var bytes = judged.ToDictionary(language => language, _ => 0L);
        foreach ((string text, long size) in Texts(settings))
        {
            string language = LanguageClassifier.Classify(text);
            if (!bytes.TryGetValue(language, out long had) || had >= settings.GoldBytes)
                continue;
            _models[language].Train(text);
            bytes[language] = had + size;
        }
        foreach (string language in judged)
            if (bytes[language] == 0)
                throw new UserErrorException(
                    $"The rule '{settings.ReportedName}' judges '{language}', but its gold text holds none: add files to gold, or take '{language}' out."
                );
    }

    public IReadOnlyCollection<string> Languages => _models.Keys;

    /// <summary>Bits per character of a document; null where its language is not judged. Finds the language where no rule has.</summary>
    public double? Score(CleaningDocument document)
    {
        document.Language ??= LanguageClassifier.Classify(document.Text);
        return _models.TryGetValue(document.Language, out var model)
            ? model.BitsPerCharacter(document.Text.AsSpan(0, Math.Min(_maxCharacters, document.Text.Length)))
            : null;
    }

    private static IEnumerable<(string Text, long Bytes)> Texts(QualitySection settings)
    {
        var text = new StringBuilder();
        long bytes = 0;
        foreach (var part in DocumentReader.ReadAll(settings.Files))
        {
            text.Append(Encoding.UTF8.GetString(part.Text.Span));
            bytes += part.Text.Length;
            if (!part.IsLast)
                continue;
            yield return (text.ToString(), bytes);
            text.Clear();
            bytes = 0;
        }
    }
}
