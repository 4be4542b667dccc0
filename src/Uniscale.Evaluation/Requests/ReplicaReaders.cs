using System.Text;
using Uniscale.Checkpoints.Saving;
using Uniscale.Collectives;
using Uniscale.Evaluation.Inference;

namespace Uniscale.Evaluation.Requests;

/// <summary>How the ranks of a run share requests.</summary>
/// <param name="Group">All ranks, in host memory.</param>
/// <param name="Replica">Number of this rank's replica of the model: its place on the data and context axes.</param>
/// <param name="Replicas">Replicas.</param>
/// <param name="Speaks">One rank of each replica tells the others what the replica answered.</param>
/// <param name="StopSeen">Asked between rounds, and answered alike by every rank: whether the evaluation is to be left; collective.</param>
public sealed record ReplicaPlace(IProcessGroup Group, int Replica, int Replicas, bool Speaks, Func<bool> StopSeen);

/// <summary>
/// The ranks of a run, in whose memory the model is. Each replica reads a part of the work, and tells the others what it answered, round
/// by round. All ranks make the same calls.
/// </summary>
/// <param name="model">This rank's part of the model; owned.</param>
/// <param name="place">Where this rank is.</param>
/// <param name="answers">Where answers are put, on every rank the same; in memory.</param>
public sealed class ReplicaReaders(InferenceModel model, ReplicaPlace place, AnswerStore answers) : IReaders
{
    /// <summary>Items that a replica reads between two looks at whether to stop.</summary>
    private const int RoundItems = 64;

    /// <inheritdoc/>
    public int Context => model.Context;

    /// <inheritdoc/>
    public void Share<T>(IReadOnlyList<T> work, Action<InferenceModel, IReadOnlyList<T>> read)
    {
        int round = RoundItems * place.Replicas;
        for (int first = 0; first < work.Count; first += round)
        {
            if (place.StopSeen())
                throw new OperationCanceledException("The run is asked to stop.");
            int count = Math.Min(round, work.Count - first),
                begin = first + (int)((long)count * place.Replica / place.Replicas),
                end = first + (int)((long)count * (place.Replica + 1) / place.Replicas);
            if (end > begin)
                read(model, [.. work.Skip(begin).Take(end - begin)]);
            byte[] told = Encoding.ASCII.GetBytes(answers.TakeAdded());
            foreach (byte[] lines in GroupExchange.AllGather(place.Group, place.Speaks ? told : []))
                answers.Merge(Encoding.ASCII.GetString(lines));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => model.Dispose();
}
