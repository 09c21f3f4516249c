// Owns the example texts, written for this page: two speeches that never were.

const PORT = `Who should build the harbour cranes?

For thirty years the port of Vellmouth bought its cranes wherever they were cheapest, and nobody in the capital asked where that was. Last spring the answer arrived by telegram: two thirds came from a single yard abroad, and that yard had stopped answering letters about spare parts.

The ministry of transport has now drawn up a plan. It will lend the Harrow ironworks half the cost of a new assembly hall, order the first forty cranes itself, and require every public port to buy from the domestic yard until the turn of the decade. Officials say that a harbour which cannot mend its own cranes is not really a harbour of ours.

The port's tenants are not persuaded. A terminal that must buy a dearer crane, they argue, will charge a dearer tariff, and the ships will simply call across the strait. Let each operator choose its own supplier and carry its own risk, their association wrote, and keep the treasury out of a trade in which it has never earned a penny.

Vellmouth's harbour was dredged to eleven metres in the autumn. The new channel is marked by green buoys, and pilots report that the turn at the north pier is easier than before.

A second dispute concerns the foreign yard. Since it was put on the list of firms with ties to a hostile navy, its cranes may no longer be insured, financed or serviced here. Customs officers turned back two shiploads of gear wheels in March, and banks that cleared the payments face fines.

The regulator, for its part, wants fewer rules rather than more. It proposes to scrap the licence that every crane driver needs from three separate offices, to let private inspectors certify the machines, and to publish tariffs instead of approving them. Competition between terminals, its chairman said, has done more for shippers than any tribunal.

Whether the ironworks can deliver is another matter. Its engineers have never built a hoist of this size, and the drawings that they hoped to licence have been withdrawn. The state laboratory at Orne has been told to design the control system from the beginning, with chips from the pilot line next door, so that no part of the machine depends on a foreign signature.

Parliament votes in June. Both sides have taken to quoting the same sentence from the harbour's charter, which says that the port shall serve the country. It does not say how.`;

const AUCTION = `What the auction taught us

Three years ago we told the ministry that the port did not need a plan. It needed buyers who could say no. This month the last of the cranes was put up for auction, and eleven firms came to bid where officials had expected two.

The lesson is plain. When operators pay with their own money they find suppliers that no committee had heard of, they bargain, and they walk away. Tariffs at the north terminal have fallen by a fifth since the purchase rule was dropped, and nobody in this hall had to be ordered to lower them.

We should finish the work. Sell the remaining berths, close the lending window at the state bank, and let the yard at Harrow stand on its order book like any other firm. If its cranes are good they will be bought.

Some rules must stay. An inspector has to be able to stop an unsafe hoist, and the competition office should keep its eye on the two largest terminals, which share an owner. Those are the duties of a referee and not of a player.

The harbour museum opens on Sunday. Its oldest exhibit is a hand winch of 1871, which visitors are invited to turn.

I am asked what becomes of the laboratory at Orne. Its control system works, and three foreign ports have asked for it. Let its engineers take the licence, find their own investors and sell it to whom they please.`;

export const EXAMPLES = [PORT, AUCTION];
