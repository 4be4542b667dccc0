namespace Uniscale.Corpus.Cleaning;

/// <summary>Judges a document by itself. Rules hold no state that a document changes: one serves all workers.</summary>
internal interface IDocumentRule
{
    /// <summary>False where the document is dropped. May change its text and language.</summary>
    bool Keeps(CleaningDocument document);
}

/// <summary>
/// Judges a document by all others: each shard is observed by itself, all observations give a decision for each shard, and the decisions
/// are
/// applied to the same documents in the same order.
/// </summary>
internal interface ICorpusRule
{
    /// <summary>Opens the file of observations of a shard.</summary>
    IObservations Observe(string path);

    /// <summary>Writes a file of decisions for each file of observations.</summary>
    void Decide(IReadOnlyList<string> observations, IReadOnlyList<string> decisions, CancellationToken cancellation);

    /// <summary>The rule for the documents of one shard, in their order; for one worker.</summary>
    IDocumentRule Apply(string decisions);
}

/// <summary>What a corpus rule notes of the documents of a shard.</summary>
internal interface IObservations : IDisposable
{
    void Add(CleaningDocument document);
}
