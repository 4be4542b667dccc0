using Uniscale.Configuration;

namespace Uniscale.Corpus.Cleaning;

/// <summary>A rule with its settings.</summary>
internal sealed record Step(RuleSection Settings, IDocumentRule? Alone, ICorpusRule? WithOthers)
{
    public string Name => Settings.ReportedName;

    public bool AppliesTo(string domain) => !Settings.Except.Contains(domain);

    /// <summary>Makes the rule of a step; reads the files that it needs.</summary>
    public static Step Of(RuleSection settings) =>
        settings switch
        {
            LanguageSection language => new Step(settings, new LanguageRule(language), null),
            UrlSection url => new Step(settings, new UrlRule(url), null),
            ScoreSection score => new Step(settings, new ScoreRule(score), null),
            LengthSection length => new Step(settings, new LengthRule(length), null),
            SymbolsSection symbols => new Step(settings, new SymbolsRule(symbols), null),
            DigitsSection digits => new Step(settings, new DigitsRule(digits), null),
            RepeatedLinesSection lines => new Step(settings, new RepeatedLinesRule(lines), null),
            RepeatedNgramsSection ngrams => new Step(settings, new RepeatedNgramsRule(ngrams), null),
            BoilerplateSection boilerplate => new Step(settings, new BoilerplateRule(boilerplate), null),
            MojibakeSection mojibake => new Step(settings, new MojibakeRule(mojibake), null),
            BlockListSection blocked => new Step(settings, new BlockListRule(blocked), null),
            ConnectivesSection connectives => new Step(settings, new ConnectivesRule(connectives), null),
            ContaminationSection contamination => new Step(settings, new ContaminationRule(contamination), null),
            QualitySection { Keep.Count: 0 } quality => new Step(settings, new QualityBoundRule(quality, new QualityModels(quality)), null),
            QualitySection quality => new Step(settings, null, new QualityShareRule(quality, new QualityModels(quality))),
            ExactDocumentsSection => new Step(settings, null, new ExactDocumentsRule()),
            ExactParagraphsSection paragraphs => new Step(settings, null, new ExactParagraphsRule(paragraphs)),
            NearDuplicatesSection near => new Step(settings, null, new NearDuplicatesRule(near)),
            _ => throw new NotSupportedException($"There is no rule for {settings.GetType().Name}."),
        };
}

/// <summary>
/// A pass over all documents: what the observations of the stage before decided, rules that need no other document, and the observations
/// for the
/// next decision.
/// </summary>
/// <param name="Decided">The corpus rule whose decisions are applied first.</param>
/// <param name="Rules">Rules that judge a document by itself.</param>
/// <param name="Observed">The corpus rule that observes what is left.</param>
internal sealed record Stage(Step? Decided, IReadOnlyList<Step> Rules, Step? Observed)
{
    /// <summary>Cuts the steps into stages, after each that must see all documents.</summary>
    public static IReadOnlyList<Stage> Of(IEnumerable<Step> steps)
    {
        var stages = new List<Stage>();
        var rules = new List<Step>();
        Step? decided = null;
        foreach (var step in steps)
        {
            if (step.WithOthers is null)
            {
                rules.Add(step);
                continue;
            }
            stages.Add(new Stage(decided, rules, step));
            (decided, rules) = (step, []);
        }
        stages.Add(new Stage(decided, rules, null));
        return stages;
    }
}

/// <summary>A file of documents, in and out.</summary>
/// <param name="Number">Over all domains, from 0.</param>
/// <param name="Domain">Of its documents.</param>
/// <param name="Input">The file.</param>
/// <param name="Output">Its name in the cleaned store.</param>
internal sealed record CleaningShard(int Number, string Domain, string Input, string Output)
{
    /// <summary>The shards of the input stores: stores in their order, within them domains and files by name.</summary>
    public static IReadOnlyList<CleaningShard> Of(CleaningPipeline pipeline)
    {
        foreach (string store in pipeline.Inputs)
            if (!DocumentStore.IsStore(store))
                throw new UserErrorException(
                    $"{store} {(Path.Exists(store) ? "is no store" : "does not exist")}: inputs of a cleaning are stores made by `uniscale data import`."
                );
        var shards = new List<CleaningShard>();
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach ((string domain, var files) in pipeline.Inputs.SelectMany(DocumentStore.Domains))
        {
            if (pipeline.Domains.Count > 0 && !pipeline.Domains.Contains(domain))
                continue;
            foreach (string file in files)
            {
                int number = numbers[domain] = numbers.GetValueOrDefault(domain, -1) + 1;
                shards.Add(new CleaningShard(shards.Count, domain, file, Path.Combine(domain, DocumentStore.FileName(number))));
            }
        }
        return shards.Count > 0
            ? shards
            : throw new UserErrorException(
                $"The stores {string.Join(", ", pipeline.Inputs)} hold none of the domains {string.Join(", ", pipeline.Domains)}."
            );
    }
}
