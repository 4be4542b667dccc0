using Uniscale.Configuration;
using Uniscale.Configuration.Schema;

namespace Uniscale.Corpus.Cleaning;

/// <summary>Writes the language into the document; keeps some languages.</summary>
internal sealed class LanguageRule : IDocumentRule
{
    private static readonly Dictionary<string, string> ShortNames = new(StringComparer.Ordinal)
    {
        ["zho"] = "zh",
        ["cmn"] = "zh",
        ["eng"] = "en",
        ["deu"] = "de",
        ["fra"] = "fr",
        ["spa"] = "es",
        ["ita"] = "it",
        ["por"] = "pt",
        ["nld"] = "nl",
        ["pol"] = "pl",
        ["jpn"] = "ja",
        ["kor"] = "ko",
        ["rus"] = "ru",
        ["ell"] = "el",
        ["ara"] = "ar",
        ["heb"] = "he",
        ["hin"] = "hi",
        ["tha"] = "th",
    };

    private readonly LanguageSection _settings;

    public LanguageRule(LanguageSection settings)
    {
        _settings = settings;
        foreach (string language in settings.Declared ? [] : settings.Keep.Except(LanguageClassifier.Languages))
            throw new UserErrorException(
                $"The rule '{settings.ReportedName}' keeps '{language}', which is no language that is told apart{Names.Hint(language, [.. LanguageClassifier.Languages])}"
            );
    }

    public bool Keeps(CleaningDocument document)
    {
        document.Language = (_settings.Declared ? DeclaredOf(document.Language) : null) ?? LanguageClassifier.Classify(document.Text);
        return _settings.Keep.Count == 0 || _settings.Keep.Contains(document.Language);
    }

    /// <summary>The first language of "zho,eng", "en-US" or "de"; names of three letters as the classifier's of two.</summary>
    private static string? DeclaredOf(string? declared)
    {
        if (string.IsNullOrWhiteSpace(declared))
            return null;
        string first = declared.Split(',', '-', '_', ' ')[0].ToLowerInvariant();
        return ShortNames.GetValueOrDefault(first, first);
    }
}
