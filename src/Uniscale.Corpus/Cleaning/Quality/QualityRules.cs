using System.Runtime.InteropServices;

namespace Uniscale.Corpus.Cleaning;

/// <summary>Drops documents that cost more bits per character than their language may.</summary>
internal sealed class QualityBoundRule(QualitySection settings, QualityModels models) : IDocumentRule
{
    public bool Keeps(CleaningDocument document) => models.Score(document) is not { } bits || bits <= settings.MaxBits[document.Language!];
}

/// <summary>
/// Keeps the most probable share of the documents of each language (and, where a bound is given too, those within it). The quantile is
/// found
/// in a histogram of 1/512 bit, so memory does not grow with the documents.
/// </summary>
internal sealed class QualityShareRule(QualitySection settings, QualityModels models) : ICorpusRule
{
    private const int BinsPerBit = 512;
    private const int Bins = 32 * BinsPerBit;

    private readonly string[] _languages = [.. models.Languages.Order(StringComparer.Ordinal)];

    public IObservations Observe(string path) =>
        new Scores(
            path,
            document =>
                models.Score(document) is { } bits
                    ? new Score(Array.IndexOf(_languages, document.Language), Math.Min(Bins - 1, (int)(bits * BinsPerBit)))
                    : new Score(-1, 0)
        );

    public void Decide(IReadOnlyList<string> observations, IReadOnlyList<string> decisions, CancellationToken cancellation)
    {
        long[][] histograms = [.. _languages.Select(_ => new long[Bins])];
        foreach (var score in observations.SelectMany(RecordFile.Read<Score>))
            if (score.Language >= 0)
                histograms[score.Language][score.Bin]++;
        int[] highest = [.. _languages.Select((language, i) => Highest(language, histograms[i]))];
        for (int i = 0; i < observations.Count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            var flags = new Flags((int)RecordFile.Count<Score>(observations[i]));
            int document = 0;
            foreach (var score in RecordFile.Read<Score>(observations[i]))
            {
                if (score.Language >= 0 && score.Bin > highest[score.Language])
                    flags.Set(document);
                document++;
            }
            flags.Save(decisions[i]);
        }
    }

    public IDocumentRule Apply(string decisions) => new FlaggedDocuments(Flags.Load(decisions));

    /// <summary>The last bin that stays.</summary>
    private int Highest(string language, long[] histogram)
    {
        int highest = settings.MaxBits.TryGetValue(language, out double bits) ? (int)(bits * BinsPerBit) : Bins;
        if (!settings.Keep.TryGetValue(language, out double share))
            return highest;
        double wanted = share * histogram.Sum();
        long below = 0;
        int bin = -1;
        while (bin + 1 < Bins && below < wanted)
            below += histogram[++bin];
        return Math.Min(highest, bin);
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Score(int Language, int Bin);

    private sealed class Scores(string path, Func<CleaningDocument, Score> score) : IObservations
    {
        private readonly RecordFile.Writer<Score> _file = new(path);

        public void Add(CleaningDocument document) => _file.Add(score(document));

        public void Dispose() => _file.Dispose();
    }
}
