using Uniscale.Data;

namespace Uniscale.Corpus.Cleaning;

/// <summary>Takes the documents of one shard through one stage.</summary>
internal sealed class StageRun(CleaningPipeline pipeline, WorkFolder folder, Tokenizer? tokenizer, IReadOnlyList<Stage> stages)
{
    private sealed record Judge(string Name, IDocumentRule Rule);

    public void Run(int number, CleaningShard shard, CancellationToken cancellation)
    {
        var stage = stages[number];
        bool isLast = number == stages.Count - 1;
        var tally = new StageTally();
        Judge[] judges = [.. Judges(stage, number, shard)];
        var document = new CleaningDocument();
        using var output = new DocumentFileWriter(folder.Documents(number, shard));
        using var observations = stage.Observed is { } observed
            ? (observed.AppliesTo(shard.Domain) ? observed.WithOthers! : new Unobserved()).Observe(folder.Observations(number, shard))
            : null;
        foreach (var stored in StoredDocumentReader.Read(number == 0 ? shard.Input : folder.Documents(number - 1, shard)))
        {
            cancellation.ThrowIfCancellationRequested();
            document.Take(stored);
            tally.Input.Add(1, document.Bytes, 0);
            if (!judges.All(judge => Keeps(judge, document, shard, tally)))
                continue;
            observations?.Add(document);
            output.Add(document.ToStored());
            if (isLast)
                tally.Keep(document, Tokens(document.Text));
        }
        observations?.Dispose();
        // A store has no empty files; between stages they do no harm.
        if (!isLast || tally.Kept.Count > 0)
            output.Complete();
        folder.Done(number, shard, tally);
    }

    private IEnumerable<Judge> Judges(Stage stage, int number, CleaningShard shard)
    {
        if (stage.Decided is { } decided && decided.AppliesTo(shard.Domain))
            yield return new Judge(decided.Name, decided.WithOthers!.Apply(folder.Decisions(number - 1, shard)));
        foreach (var step in stage.Rules.Where(step => step.AppliesTo(shard.Domain)))
            yield return new Judge(step.Name, step.Alone!);
    }

    private bool Keeps(Judge judge, CleaningDocument document, CleaningShard shard, StageTally tally)
    {
        (string before, long bytes) = (document.Text, document.Bytes);
        if (!judge.Rule.Keeps(document))
        {
            var rule = tally.Of(judge.Name);
            rule.Dropped.Add(1, bytes, Tokens(before));
            rule.AddSample(document, shard.Domain, before, pipeline.Samples);
            return false;
        }
        if (!ReferenceEquals(before, document.Text))
            tally.Of(judge.Name).Cut.Add(1, bytes - document.Bytes, Tokens(before) - Tokens(document.Text));
        return true;
    }

    private long Tokens(string text) => tokenizer is null ? 0 : tokenizer.Encode(text).Length;

    /// <summary>Writes no observations, of which no decisions follow.</summary>
    private sealed class Unobserved : ICorpusRule
    {
        public IObservations Observe(string path) => new None(path);

        public void Decide(IReadOnlyList<string> observations, IReadOnlyList<string> decisions, CancellationToken cancellation) =>
            throw new NotSupportedException();

        public IDocumentRule Apply(string decisions) => throw new NotSupportedException();

        private sealed class None : IObservations
        {
            public None(string path) => File.WriteAllBytes(path, []);

            public void Add(CleaningDocument document) { }

            public void Dispose() { }
        }
    }
}
