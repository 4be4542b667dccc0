namespace Uniscale.Engine.Execution;

/// <summary>
/// Damages numbers of a rank at given steps, to prove that training notices and acts. Steps are numbered as they are reported, from 1;
/// a step that is done again has the same number. Called on the rank's compute thread.
/// </summary>
public interface IFaultInjector
{
    /// <summary>
    /// This rank's gradients of a step are summed over the replicas (<see cref="Buckets.Bucket.GradientShard"/>) and not yet looked at.
    /// What is
    /// written there enters the norm and the update.
    /// </summary>
    /// <param name="step">The step.</param>
    /// <param name="model">This rank's part of the model.</param>
    void OnGradient(long step, RankState model) { }

    /// <summary>
    /// This rank's part of the step's mean loss, before the parts are summed over the world. It has no influence on gradients.
    /// </summary>
    /// <param name="step">The step.</param>
    /// <param name="loss">The part; 0 on a rank that computes none.</param>
    /// <returns>What takes its place.</returns>
    double OnLoss(long step, double loss) => loss;

    /// <summary>
    /// The weights are updated, whole where the layout keeps them whole (<see cref="Buckets.Bucket.WholeFlat"/>), and not yet compared with
    /// those of
    /// the other replicas.
    /// </summary>
    /// <param name="step">The step.</param>
    /// <param name="model">This rank's part of the model.</param>
    void OnWeights(long step, RankState model) { }
}
