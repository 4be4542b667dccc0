using Uniscale.Configuration;
using Uniscale.Configuration.Schema;

namespace Uniscale.Corpus.Cleaning;

/// <summary>Writes the language into the document; keeps some languages.</summary>
internal sealed class LanguageRule : IDocumentRule
{
    private readonly LanguageSection _settings;

    public LanguageRule(LanguageSection settings)
    {
        _settings = settings;
        foreach (string language in settings.Keep.Except(LanguageClassifier.Languages))
            throw new UserErrorException($"The rule '{settings.ReportedName}' keeps '{language}', which is no language that is told apart{Names.Hint(language, [.. LanguageClassifier.Languages])}");
    }

    public bool Keeps(CleaningDocument document)
    {
        document.Language = LanguageClassifier.Classify(document.Text);
        return _settings.Keep.Count == 0 || _settings.Keep.Contains(document.Language);
    }
}
